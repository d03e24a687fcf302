//! Public keys as authenticators give them: COSE (RFC 9052, 9053, 8230), of the algorithms that `ring` verifies.
//!
//! The algorithm is the key's, and was checked when the passkey was made: an answer names none.

use minicbor::Decoder;
use minicbor::data::Type;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};

/// What is asked for, the best first, by COSE's numbers: EdDSA, ES256, RS256.
pub(super) const ALGORITHMS: [i64; 3] = [-8, -7, -257];
/// A key has at most so many members.
const MEMBERS: u64 = 16;

/// A public key, by what it verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Ed25519(Vec<u8>),
    /// The point, not compressed.
    Es256(Vec<u8>),
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
}

/// The members of a key that are looked at.
#[derive(Default)]
struct Members {
    kind: Option<i64>,
    algorithm: Option<i64>,
    /// A curve's number, or a modulus.
    minus_1: Option<Member>,
    minus_2: Option<Vec<u8>>,
    minus_3: Option<Vec<u8>>,
}

enum Member {
    Number(i64),
    Bytes(Vec<u8>),
}

fn unread(_: minicbor::decode::Error) -> String {
    "its key is no CBOR map of a COSE key".to_owned()
}

impl PublicKey {
    /// Reads one; the decoder then stands behind it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(decoder: &mut Decoder<'_>) -> Result<PublicKey, String> {
        let count = decoder.map().map_err(unread)?.filter(|count| *count <= MEMBERS);
        let count = count.ok_or("its key is a map without length, or has too many members")?;
        let mut members = Members::default();
        for _ in 0..count {
            let label = decoder.i64().map_err(|_| "its key has a member without number")?;
            let is_twice = match label {
                1 => members.kind.replace(decoder.i64().map_err(unread)?).is_some(),
                3 => members.algorithm.replace(decoder.i64().map_err(unread)?).is_some(),
                -1 => {
                    let read = match decoder.datatype().map_err(unread)? {
                        Type::Bytes => Member::Bytes(decoder.bytes().map_err(unread)?.to_vec()),
                        _ => Member::Number(decoder.i64().map_err(unread)?),
                    };
                    members.minus_1.replace(read).is_some()
                }
                -2 => members.minus_2.replace(decoder.bytes().map_err(unread)?.to_vec()).is_some(),
                -3 => members.minus_3.replace(decoder.bytes().map_err(unread)?.to_vec()).is_some(),
                _ => {
                    decoder.skip().map_err(unread)?;
                    false
                }
            };
            if is_twice {
                return Err("its key has a member twice".to_owned());
            }
        }
        members.key()
    }

    /// Whether it signed a message.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            PublicKey::Ed25519(x) => UnparsedPublicKey::new(&ED25519, x).verify(message, signature),
            PublicKey::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            PublicKey::Rs256 { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
        };
        verified.is_ok()
    }
}

impl Members {
    fn key(self) -> Result<PublicKey, String> {
        let algorithm = self.algorithm.ok_or("its key names no algorithm")?;
        if !ALGORITHMS.contains(&algorithm) {
            return Err("its key is for another algorithm than EdDSA, ES256 or RS256".to_owned());
        }
        let of = |length: usize, part: Option<Vec<u8>>| part.filter(|bytes| bytes.len() == length);
        let key = match (self.kind, algorithm, self.minus_1) {
            // OKP, Ed25519.
            (Some(1), -8, Some(Member::Number(6))) => of(32, self.minus_2).map(PublicKey::Ed25519),
            // EC2, P-256.
            (Some(2), -7, Some(Member::Number(1))) => of(32, self.minus_2)
                .zip(of(32, self.minus_3))
                .map(|(x, y)| PublicKey::Es256([&[4][..], &x, &y].concat())),
            (Some(3), -257, Some(Member::Bytes(n))) => {
                let is_well = (256..=1024).contains(&n.len()) && n.first() != Some(&0);
                let e = self.minus_2.filter(|e| is_well && (1..=8).contains(&e.len()));
                e.map(|e| PublicKey::Rs256 { n, e })
            }
            _ => None,
        };
        key.ok_or_else(|| "its key is not what its algorithm takes".to_owned())
    }
}
