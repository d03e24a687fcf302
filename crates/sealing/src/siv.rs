//! Sealing without a nonce: AES-256 in the SIV construction (RFC 5297), whose tag is both proof and starting point.
//!
//! The same text under the same key and the same associated text is sealed the same, and nothing else is told; so that keys
//! of a table can be found again, and no counter or generator has to be trusted for values.
//!
//! The block cipher is RustCrypto's. CMAC (RFC 4493) and the construction stand here because a table's order needs to decrypt a
//! key block by block without having the whole ([`Siv::pads`]), and because most texts are shorter than what the crates `cmac` and `aes-siv` spend
//! on getting ready; tests compare with `aes-siv`. A tag may be kept shortened: then the counter begins with what is kept, and
//! *salt* that both sides know.

use aes::Aes256Enc;
use aes::cipher::{BlockEncrypt as _, KeyInit as _};

type Block = [u8; BLOCK];
const BLOCK: usize = 16;
/// Bytes of a whole tag.
pub(crate) const TAG: usize = BLOCK;
/// Bytes of a key.
pub(crate) const KEY: usize = 64;

/// A key, ready for use.
pub(crate) struct Siv {
    mac: Aes256Enc,
    /// What the last block of a MAC is mixed with: a whole one, one that is filled up.
    last: [Block; 2],
    /// The MAC of a block of zeros, doubled: where every tag begins.
    zeros: Block,
    counter: Aes256Enc,
}

/// A MAC that is being made.
struct Mac<'s> {
    siv: &'s Siv,
    chain: Block,
    held: Block,
    count: usize,
}

impl Mac<'_> {
    fn update(mut self, mut bytes: &[u8]) -> Self {
        while !bytes.is_empty() {
            // A full block waits for what comes after it, which says whether it is the last.
            if self.count == BLOCK {
                self.chain = self.siv.encrypt(xor(self.chain, self.held));
                self.count = 0;
            }
            let (taken, rest) = bytes.split_at(bytes.len().min(BLOCK - self.count));
            self.held[self.count..self.count + taken.len()].copy_from_slice(taken);
            self.count += taken.len();
            bytes = rest;
        }
        self
    }

    fn finish(mut self) -> Block {
        let [whole, filled] = self.siv.last;
        let mix = if self.count == BLOCK {
            whole
        } else {
            self.held[self.count..].fill(0);
            self.held[self.count] = 0x80;
            filled
        };
        self.siv.encrypt(xor(xor(self.chain, self.held), mix))
    }
}

impl Siv {
    pub(crate) fn new(key: &[u8; KEY]) -> Siv {
        let (mut for_mac, mut for_counter) = ([0; 32], [0; 32]);
        for_mac.copy_from_slice(&key[..32]);
        for_counter.copy_from_slice(&key[32..]);
        let (mac, counter) = (Aes256Enc::new(&for_mac.into()), Aes256Enc::new(&for_counter.into()));
        let mut siv = Siv { mac, last: [[0; BLOCK]; 2], zeros: [0; BLOCK], counter };
        let whole = double(siv.encrypt([0; BLOCK]));
        siv.last = [whole, double(whole)];
        siv.zeros = double(siv.mac().update(&[0; BLOCK]).finish());
        siv
    }

    fn encrypt(&self, block: Block) -> Block {
        let mut block = block.into();
        self.mac.encrypt_block(&mut block);
        block.into()
    }

    fn mac(&self) -> Mac<'_> {
        Mac { siv: self, chain: [0; BLOCK], held: [0; BLOCK], count: 0 }
    }

    /// The tag of a text beside an associated one (S2V, section 2.4).
    pub(crate) fn tag(&self, associated: &[u8], text: &[u8]) -> Block {
        let so_far = xor(self.zeros, self.mac().update(associated).finish());
        match text.split_last_chunk::<BLOCK>() {
            Some((start, end)) => self.mac().update(start).update(&xor(so_far, *end)).finish(),
            None => {
                let mut last = double(so_far);
                last.iter_mut().zip(text.iter().chain(&[0x80])).for_each(|(l, t)| *l ^= t);
                self.mac().update(&last).finish()
            }
        }
    }

    /// Encrypts, or decrypts, a text in place, from one of its blocks on.
    pub(crate) fn apply(&self, start: u128, text: &mut [u8]) {
        let mut block = start;
        // Eight at once keep the processor's AES unit busy.
        for chunk in text.chunks_mut(8 * BLOCK) {
            let mut pads = [[0; BLOCK].into(); 8];
            let needed = chunk.len().div_ceil(BLOCK);
            for pad in pads.iter_mut().take(needed) {
                *pad = block.to_be_bytes().into();
                block = block.wrapping_add(1);
            }
            self.counter.encrypt_blocks(&mut pads[..needed]);
            let pads = pads.iter().flat_map(|pad| pad.iter());
            chunk.iter_mut().zip(pads).for_each(|(byte, pad)| *byte ^= pad);
        }
    }

    /// The pads of one block of each of two texts.
    pub(crate) fn pads(&self, blocks: [u128; 2]) -> [Block; 2] {
        let mut pads = blocks.map(|block| block.to_be_bytes().into());
        self.counter.encrypt_blocks(&mut pads);
        pads.map(Into::into)
    }

    /// Appends the tag, shortened, and the text, sealed.
    pub(crate) fn seal(&self, associated: &[u8], text: &[u8], length: usize, salt: &[u8], out: &mut Vec<u8>) {
        let tag = self.tag(associated, text);
        let tag = &tag[..length.min(TAG)];
        let start = start(tag, salt);
        out.extend_from_slice(tag);
        let at = out.len();
        out.extend_from_slice(text);
        self.apply(start, &mut out[at..]);
    }

    /// The text, if it is what was sealed beside this associated one.
    pub(crate) fn open(
        &self,
        associated: &[u8],
        sealed: &[u8],
        length: usize,
        salt: &[u8],
    ) -> Option<Vec<u8>> {
        let (tag, text) = sealed.split_at_checked(length)?;
        let mut text = text.to_vec();
        self.apply(start(tag, salt), &mut text);
        let expected = self.tag(associated, &text);
        // In constant time, though nobody can try more often than they can make a hub read a file.
        let difference = expected.iter().zip(tag).fold(0, |sum, (a, b)| sum | (a ^ b));
        (difference == 0).then_some(text)
    }
}

/// The counter's first block: the tag, with salt if it is short, and two bits cleared (section 2.5).
pub(crate) fn start(tag: &[u8], salt: &[u8]) -> u128 {
    let mut block = [0; BLOCK];
    block.iter_mut().zip(tag.iter().chain(salt)).for_each(|(b, t)| *b = *t);
    block[8] &= 0x7f;
    block[12] &= 0x7f;
    u128::from_be_bytes(block)
}

fn xor(a: Block, b: Block) -> Block {
    (u128::from_be_bytes(a) ^ u128::from_be_bytes(b)).to_be_bytes()
}

/// Doubling in GF(2^128) (section 2.3).
fn double(block: Block) -> Block {
    let number = u128::from_be_bytes(block);
    let carry = if number >> 127 == 1 { 0x87 } else { 0 };
    (number << 1 ^ carry).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use aes_siv::siv::Aes256Siv;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_another_implementation_makes(
            seed: u64,
            associated in proptest::collection::vec(any::<u8>(), 0..40),
            text in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let key: [u8; KEY] = std::array::from_fn(|n| (seed.rotate_left(n as u32) as u8).wrapping_mul(n as u8 | 1));
            let mut theirs = <Aes256Siv as aes_siv::KeyInit>::new(&key.into());
            let expected = theirs.encrypt([associated.as_slice()], &text).unwrap();
            let siv = Siv::new(&key);
            let mut sealed = Vec::new();
            siv.seal(&associated, &text, TAG, &[], &mut sealed);
            prop_assert_eq!(&sealed, &expected);
            prop_assert_eq!(siv.open(&associated, &sealed, TAG, &[]), Some(text.clone()));
            let mut other = associated.clone();
            other.push(0);
            prop_assert_eq!(siv.open(&other, &sealed, TAG, &[]), None);
            let mut short = Vec::new();
            siv.seal(&associated, &text, 8, &[7; 8], &mut short);
            prop_assert_eq!(siv.open(&associated, &short, 8, &[7; 8]), Some(text));
        }
    }
}
