//! An authenticator that lies when it is told to: what browsers would never send.

use data_encoding::BASE64URL_NOPAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

/// How an answer differs from a true one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lie {
    pub(crate) origin: Option<&'static str>,
    pub(crate) host: Option<&'static str>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) challenge: Option<String>,
    pub(crate) is_cross_origin: bool,
    /// UP 1, UV 4, BE 8, BS 16.
    pub(crate) flags: Option<u8>,
    pub(crate) counter: Option<u32>,
    /// COSE's number of the algorithm.
    pub(crate) algorithm: Option<i8>,
    pub(crate) handle: Option<String>,
    pub(crate) has_other_signature: bool,
    /// What stands where the signature should.
    pub(crate) signature: Option<Vec<u8>>,
}

pub(crate) struct Authenticator {
    pair: EcdsaKeyPair,
    pub(crate) credential: Vec<u8>,
    handle: String,
    pub(crate) counter: u32,
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[0x59][..], &length, bytes].concat()
}

impl Authenticator {
    pub(crate) fn new(credential: &[u8]) -> Authenticator {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Authenticator { pair, credential: credential.to_vec(), handle: String::new(), counter: 0 }
    }

    fn client_data(wish: &Value, kind: &str, lie: &Lie) -> String {
        json!({
            "type": lie.kind.unwrap_or(kind),
            "challenge": lie.challenge.as_deref().or(wish["challenge"].as_str()),
            "origin": lie.origin.or(wish["origin"].as_str()),
            "crossOrigin": lie.is_cross_origin,
        })
        .to_string()
    }

    fn data(&self, host: &str, flags: u8, counter: u32, after: &[u8]) -> Vec<u8> {
        [digest(&SHA256, host.as_bytes()).as_ref(), &[flags], &counter.to_be_bytes(), after].concat()
    }

    /// Makes the passkey that a page wishes for: the fields of its form.
    pub(crate) fn make(&mut self, wish: &Value, lie: &Lie) -> Vec<(&'static str, String)> {
        self.handle = wish["user"]["id"].as_str().unwrap().to_owned();
        let client = Authenticator::client_data(wish, "webauthn.create", lie);
        let point = self.pair.public_key().as_ref();
        let algorithm = lie.algorithm.unwrap_or(-7).to_be_bytes()[0];
        // A negative number of CBOR is -1 minus what is written.
        let key = [
            &[0xa5, 0x01, 0x02, 0x03, 0x20 | !algorithm, 0x20, 0x01, 0x21][..],
            &cbor_bytes(&point[1..33]),
            &[0x22],
            &cbor_bytes(&point[33..]),
        ]
        .concat();
        let length = u16::try_from(self.credential.len()).unwrap().to_be_bytes();
        let after = [&[0; 16][..], &length, &self.credential, &key].concat();
        let host = lie.host.or(wish["rp"]["id"].as_str()).unwrap();
        let data = self.data(host, 0x40 | lie.flags.unwrap_or(0x05), self.counter, &after);
        let object = [b"\xa3cfmtdnonegattStmt\xa0hauthData".as_slice(), &cbor_bytes(&data)].concat();
        vec![
            ("client-data", encoded(client)),
            ("attestation", encoded(object)),
            ("transports", "internal,telepathy".to_owned()),
        ]
    }

    /// Signs in: the fields of the form.
    pub(crate) fn sign(&mut self, wish: &Value, lie: &Lie) -> Vec<(&'static str, String)> {
        self.counter += 1;
        let client = Authenticator::client_data(wish, "webauthn.get", lie);
        let host = lie.host.or(wish["rpId"].as_str()).unwrap();
        let data = self.data(host, lie.flags.unwrap_or(0x05), lie.counter.unwrap_or(self.counter), &[]);
        let message = [data.as_slice(), digest(&SHA256, client.as_bytes()).as_ref()].concat();
        let mut signature = self.pair.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec();
        if lie.has_other_signature {
            *signature.last_mut().unwrap() ^= 1;
        }
        vec![
            ("credential", encoded(&self.credential)),
            ("client-data", encoded(client)),
            ("authenticator-data", encoded(data)),
            ("signature", encoded(lie.signature.as_ref().unwrap_or(&signature))),
            ("user-handle", lie.handle.clone().unwrap_or_else(|| self.handle.clone())),
        ]
    }
}
