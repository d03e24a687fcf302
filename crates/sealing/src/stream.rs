//! A file sealed in pieces: read and written from one end to the other, with nothing taken away, put in, or moved.
//!
//! | bytes | what |
//! |---|---|
//! | 16 | salt: the file's key is derived from it |
//! | n | pieces of 64 kB and a proof of 16 bytes each; the last is shorter, or of 64 kB, and says that it is the last |
//!
//! AES-256-GCM (ring); a piece's nonce is its number and whether it is the last, after the STREAM construction (Hoang, Reyhanitabar,
//! Rogaway, Vizár 2015), as the file format age has it. A key for each file makes numbers enough.

use std::io::{Error, ErrorKind, Read, Result, Write};

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use crate::derive::salted;
use crate::file_key::FileKey;
use crate::key::random;
use crate::wrap::aead;

const SALT: usize = 16;
const PIECE: usize = 64 << 10;
const PROOF: usize = 16;

fn other(error: impl std::fmt::Display) -> Error {
    Error::other(error.to_string())
}

fn piece_key(FileKey(secret): &FileKey, salt: &[u8; SALT], purpose: &str) -> Result<LessSafeKey> {
    aead(&salted(&[salt.as_slice(), purpose.as_bytes()].concat(), secret, "yojigen file")).map_err(other)
}

fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[3..11].copy_from_slice(&number.to_be_bytes());
    bytes[11] = u8::from(is_last);
    Nonce::assume_unique_for_key(bytes)
}

/// Seals what is written into it. Without [`Sealer::finish`] the file has no end, and is refused.
pub struct Sealer<W: Write> {
    out: W,
    key: LessSafeKey,
    piece: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealer<W> {
    /// Begins a file; `purpose` says what it is, and has to be said again by who reads it.
    ///
    /// # Errors
    /// As what it writes to says.
    pub fn new(mut out: W, key: &FileKey, purpose: &str) -> Result<Sealer<W>> {
        let salt: [u8; SALT] = random().map_err(other)?;
        out.write_all(&salt)?;
        Ok(Sealer {
            out,
            key: piece_key(key, &salt, purpose)?,
            piece: Vec::with_capacity(PIECE + PROOF),
            number: 0,
        })
    }

    fn seal(&mut self, is_last: bool) -> Result<()> {
        let sealed =
            self.key.seal_in_place_append_tag(nonce(self.number, is_last), Aad::empty(), &mut self.piece);
        sealed.map_err(other)?;
        self.out.write_all(&self.piece)?;
        self.piece.clear();
        self.number += 1;
        Ok(())
    }

    /// Writes the last piece; what was written to.
    ///
    /// # Errors
    /// As what it writes to says.
    pub fn finish(mut self) -> Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        // A full piece waits for what comes after it, which says whether it is the last.
        if self.piece.len() == PIECE {
            self.seal(false)?;
        }
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

/// Reads what was sealed.
pub struct Opener<R: Read> {
    from: R,
    key: LessSafeKey,
    piece: Vec<u8>,
    at: usize,
    number: u64,
    /// What was read of the piece after the next.
    ahead: Vec<u8>,
    is_done: bool,
}

impl<R: Read> Opener<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// As what it reads from says.
    pub fn new(mut from: R, key: &FileKey, purpose: &str) -> Result<Opener<R>> {
        let mut salt = [0; SALT];
        from.read_exact(&mut salt)?;
        let key = piece_key(key, &salt, purpose)?;
        let mut opener =
            Opener { from, key, piece: Vec::new(), at: 0, number: 0, ahead: Vec::new(), is_done: false };
        opener.ahead = opener.read_piece()?;
        Ok(opener)
    }

    fn read_piece(&mut self) -> Result<Vec<u8>> {
        let mut piece = Vec::with_capacity(PIECE + PROOF);
        (&mut self.from).take((PIECE + PROOF) as u64).read_to_end(&mut piece)?;
        Ok(piece)
    }

    fn next_piece(&mut self) -> Result<()> {
        let mut piece = std::mem::take(&mut self.ahead);
        if piece.len() == PIECE + PROOF {
            self.ahead = self.read_piece()?;
        }
        let is_last = self.ahead.is_empty();
        let opened = self.key.open_in_place(nonce(self.number, is_last), Aad::empty(), &mut piece);
        let length = opened.map_err(|_| {
            let finding = match is_last {
                true => "it breaks off, or its end is not what was sealed",
                false => "a piece is not what was sealed",
            };
            Error::new(ErrorKind::InvalidData, format!("{finding} (piece {})", self.number + 1))
        })?;
        let length = length.len();
        piece.truncate(length);
        (self.piece, self.at, self.is_done) = (piece, 0, is_last);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.at == self.piece.len() {
            if self.is_done {
                return Ok(0);
            }
            self.next_piece()?;
        }
        let taken = out.len().min(self.piece.len() - self.at);
        out[..taken].copy_from_slice(&self.piece[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), &FileKey([7; 32]), "test").unwrap();
        sealer.write_all(text).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(file: &[u8], purpose: &str) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        Opener::new(file, &FileKey([7; 32]), purpose)?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn files_of_all_lengths_read_back_and_nothing_can_be_changed() {
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE] {
            let text: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            let file = sealed(&text);
            assert_eq!(opened(&file, "test").unwrap(), text, "{length}");
            assert!(opened(&file, "another").is_err());
            for cut in [1, PROOF, PIECE, PIECE + PROOF] {
                if let Some(end) = file.len().checked_sub(cut).filter(|end| *end >= SALT) {
                    assert!(opened(&file[..end], "test").is_err(), "{length} less {cut}");
                }
            }
            for at in (0..file.len()).step_by(file.len() / 7 + 1) {
                let mut changed = file.clone();
                changed[at] ^= 1;
                assert!(opened(&changed, "test").is_err(), "{length}, byte {at}");
            }
        }
        let text = vec![1; 3 * PIECE];
        let mut swapped = sealed(&text);
        let (first, second) = swapped[SALT..].split_at_mut(PIECE + PROOF);
        first.swap_with_slice(&mut second[..PIECE + PROOF]);
        assert!(opened(&swapped, "test").is_err(), "pieces in another order");
    }
}
