//! Known answers: test vectors of W3C Web Authentication Level 3, section 16 (`example.org`). And any bytes at all.

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use ring::digest;

use super::authenticator_data::{self, AuthenticatorData};
use super::cose::PublicKey;
use super::relying_party::RelyingParty;
use super::{attestation, client_data};

/// Section 16.2, "ES256 Credential with No Attestation".
const ES256_MADE: &str = "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220";
const ES256_MADE_CLIENT: &str = "7b2274797065223a22776562617574686e2e637265617465222c226368616c6c656e6765223a22414d4d507434557878475453746e63647134313759447742466938767049612d7077386f4f755657345441222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73652c22657874726144617461223a22636c69656e74446174614a534f4e206d617920626520657874656e6465642077697468206164646974696f6e616c206669656c647320696e20746865206675747572652c207375636820617320746869733a20426b5165446a646354427258426941774a544c453551227d";
const ES256_USED: &str = "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b51900000000";
const ES256_USED_CLIENT: &str = "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224f63446e55685158756c5455506f334a5558543049393770767a7a59425039745a63685879617630314167222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d";
const ES256_SIGNATURE: &str = "3046022100f50a4e2e4409249c4a853ba361282f09841df4dd4547a13a87780218deffcd380221008480ac0f0b93538174f575bf11a1dd5d78c6e486013f937295ea13653e331e87";
/// Section 16.11, "Packed Attestation with Ed25519 Credential": what its authenticator data say.
const ED25519_MADE: &str = "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b54100000000d5aa33581e8ca478e20fe713f5d32ff20020ce9f840ed96599580cd140fbc7bb3230633f50f61041aff73308ae71caa8a2bda401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832";
const ED25519_USED: &str = "bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b50100000000";
const ED25519_USED_CLIENT: &str = "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a2269566c583442786a4f6d6d44534b4c596f7870557439736e364d48454f7943413135726947514a6e763949222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d";
const ED25519_SIGNATURE: &str = "f5c59c7e46c34f6f8cc197101ddf9934fa2595f68eb1913a637e8419eb9ba4cfdfc48f85393bc0d40b011f0d6fecb097d6607525713223a0dc0d453993dae00b";
/// Section 16.10, "Packed Attestation with RS256 Credential": the key's modulus is the product of the Mersenne primes of 2,203
/// and 1,279 bits.
const RS256_USED: &str = ES256_USED;
const RS256_USED_CLIENT: &str = "7b2274797065223a22776562617574686e2e676574222c226368616c6c656e6765223a224b56395a39667150356978617970346e596d7834794e6f33617562597a5333536d75757459423462784d55222c226f726967696e223a2268747470733a2f2f6578616d706c652e6f7267222c2263726f73734f726967696e223a66616c73657d";
const RS256_SIGNATURE: &str = "01063d52d7c39b4d432fc7063c5d93e582bdcb16889cd71f888d67d880ea730a428498d3bc8e1ee11f2b1ecbe6c292b118c55ffaaddefa8cad0a54dd137c51f1eec673f1bb6c4d1789d6826a222b22d0f585fc901fdc933212e579d199b89d672aa44891333e6a1355536025e82b25590256c3538229b55737083b2f6b9377e49e2472f11952f79fdd0da180b5ffd901b4049a8f081bb40711bef76c62aed943571f2d0575304cb549d68d8892f95086a30f93716aee818f8dc06e96c0d5e0ed4cfa9fd8773d90464b68cf140f7986666ff9c9e3302acd0535d60d769f465e2ab57ef8aabc89fccfef7ba32a64154a8b3d26be2298f470b8cc5377dbe3dfd4b0b45f8f01e63bde6cfc76b62771f9b70aa27cf40152cad93aa5acd784fd4b90f676e2ea828d0bf2400aebbaae4153e5838f537f88b6228346782a93a899be66ec77de45b3efcf311da6321c92e6b0cd11bfe653bf3e98cee8e341f02d67dbb6f9c98d9e8178090cfb5b70fbc6d541599ac794ae2f1d4de1286ec8de8c2daf7b1d15c8438e90d924df5c19045220a4c8438c1b979bbe016cf3d0eeec23c3999d4882cc645b776de930756612cdc6dd398160ff02a6";

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn party() -> RelyingParty {
    RelyingParty::of("https://example.org").unwrap()
}

/// Whether a key signed what its authenticator and browser say; and not a letter else.
fn signs(key: &PublicKey, data: &str, client: &str, signature: &str) -> bool {
    let (data, client, mut signature) = (bytes(data), bytes(client), bytes(signature));
    let read = client_data::read(&client, "webauthn.get", &party()).unwrap();
    let message = [data.as_slice(), &read.hash].concat();
    let is_right = key.has_signed(&message, &signature);
    let last = signature.len() - 1;
    signature[last] ^= 1;
    is_right
        && !key.has_signed(&message, &signature)
        && !key.has_signed(&message[1..], &bytes(ES256_SIGNATURE))
}

fn key_of(data: &AuthenticatorData) -> PublicKey {
    data.attested.as_ref().unwrap().key.clone()
}

#[test]
fn a_passkey_of_the_standard_is_read_and_verified() {
    let made = bytes(ES256_MADE);
    let data = attestation::authenticator_data(&made).unwrap();
    let read = authenticator_data::parse(&data).unwrap();
    let credential = bytes("f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4");
    assert_eq!(read.attested.as_ref().unwrap().credential, credential);
    assert!(read.is_synced && read.is_backed_up && read.counter == 0);
    let client = client_data::read(&bytes(ES256_MADE_CLIENT), "webauthn.create", &party()).unwrap();
    assert_eq!(client.challenge, "AMMPt4UxxGTStncdq417YDwBFi8vpIa-pw8oOuVW4TA");
    assert!(signs(&key_of(&read), ES256_USED, ES256_USED_CLIENT, ES256_SIGNATURE));
    // Its user was there, but nobody looked who it was: that is not enough here.
    let refused = authenticator_data::read(&data, &party()).unwrap_err();
    assert!(refused.description.contains("UV"), "{refused}");

    let made = authenticator_data::parse(&bytes(ED25519_MADE)).unwrap();
    assert!(signs(&key_of(&made), ED25519_USED, ED25519_USED_CLIENT, ED25519_SIGNATURE));

    let mut n = vec![0; 436];
    for bit in (1279..3482).filter(|bit| *bit != 2203).chain([0]) {
        n[435 - bit / 8] |= 1 << (bit % 8);
    }
    let cose = [bytes("a4010303390100205901b4").as_slice(), &n, &bytes("2143010001")].concat();
    let key = PublicKey::read(&mut minicbor::Decoder::new(&cose)).unwrap();
    assert!(signs(&key, RS256_USED, RS256_USED_CLIENT, RS256_SIGNATURE));
}

/// Authenticator data with these flags, and what follows the counter.
fn data(host: &str, flags: u8, after: &[u8]) -> Vec<u8> {
    let host = digest::digest(&digest::SHA256, host.as_bytes());
    [host.as_ref(), &[flags, 0, 0, 0, 7], after].concat()
}

#[test]
fn what_an_authenticator_says_is_exactly_right_or_nothing() {
    let read =
        |bytes: &[u8]| authenticator_data::read(bytes, &party()).map_err(|refusal| refusal.description);
    assert_eq!(read(&data("example.org", 0x05, &[])).unwrap().counter, 7);
    assert!(read(&data("example.org", 0x1d, &[])).is_ok());
    // Extensions that nobody knows are passed over: {"x": [1]}.
    assert!(read(&data("example.org", 0x85, &bytes("a161788101"))).is_ok());
    let key = bytes("a401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832");
    let credential = |length: u16, id: &[u8], key: &[u8]| {
        let after = [&[0; 16][..], &length.to_be_bytes(), id, key].concat();
        data("example.org", 0x45, &after)
    };
    let longest = read(&credential(1023, &[7; 1023], &key)).unwrap();
    assert_eq!(longest.attested.unwrap().credential.len(), 1023);
    for (bytes, why) in [
        (data("example.com", 0x05, &[]), "another host"),
        (data("example.org", 0x04, &[]), "(UP)"),
        (data("example.org", 0x01, &[]), "(UV)"),
        (data("example.org", 0x15, &[]), "(BE)"),
        (data("example.org", 0x05, &[0]), "follows"),
        (data("example.org", 0x85, &[]), "extensions"),
        (data("example.org", 0x85, &bytes("8101")), "extensions"),
        (data("example.org", 0x45, &[]), "too early"),
        (data("example.org", 0x05, &[])[..36].to_vec(), "too early"),
        (credential(0, &[], &key), "1,023"),
        (credential(1024, &[7; 1024], &key), "1,023"),
        (credential(900, &[7; 32], &key), "too early"),
        (credential(1, &[7], &key[..20]), "COSE"),
        (credential(1, &[7], &[key.as_slice(), &[0]].concat()), "follows"),
        // ES384, and no algorithm at all.
        (credential(1, &[7], &bytes("a201020326")), "not what its algorithm takes"),
        (credential(1, &[7], &bytes("a20102033822")), "another algorithm"),
        (credential(1, &[7], &bytes("a10102")), "names no algorithm"),
        (credential(1, &[7], &bytes("a2010201020326")), "twice"),
        (credential(1, &[7], &bytes("bf0102ff")), "without length"),
        (credential(1, &[7], &bytes("b81101")), "too many"),
        (credential(1, &[7], &bytes("a1617802")), "without number"),
    ] {
        let said = read(&bytes).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    }
}

#[test]
fn a_key_is_what_its_algorithm_takes() {
    let read = |hex: &str| PublicKey::read(&mut minicbor::Decoder::new(&bytes(hex)));
    let x = "5820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61";
    assert!(read(&format!("a5010203262001 21{x}22{x}").replace(' ', "")).is_ok());
    for wrong in [
        // A point that is compressed, on another curve, of another kind of key, too short.
        format!("a501020326200121{x}22f5"),
        format!("a501020326200221{x}22{x}"),
        format!("a501010326200121{x}22{x}"),
        "a5010203262001214101224101".to_owned(),
        // EdDSA on another curve; an RSA key that is too short, or begins with a zero.
        format!("a4010103272007 21{x}").replace(' ', ""),
        "a401030339010020430102032143010001".to_owned(),
        format!("a40103033901002059010000{}2143010001", "ff".repeat(255)),
    ] {
        assert!(read(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_attestation_object_is_whole() {
    let read = |hex: &str| attestation::authenticator_data(&bytes(hex)).map_err(|r| r.description);
    assert_eq!(read("a363666d74646e6f6e656761747453746d74a068617574684461746141ff").unwrap(), [0xff]);
    for (wrong, why) in [
        ("", "no CBOR"),
        ("80", "no CBOR"),
        ("a0", "missing"),
        ("bfff", "without length"),
        ("b90100", "too many"),
        ("a363666d74646e6f6e656761747453746d74a168617574684461746141ff", "no CBOR"),
        ("a363666d74646e6f6e656761747453746d74a1616101686175746844617461 41ff", "has a statement"),
        ("a363666d74646e6f6e656761747453746d748068617574684461746141ff", "no map"),
        ("a363666d74646e6f6e656761747453746d74a068617574684461746141ff00", "follows"),
        ("a263666d74646e6f6e6563666d74646e6f6e65", "twice"),
        // A length that nobody has the bytes for.
        ("a16861757468446174615bffffffffffffffff", "no CBOR"),
    ] {
        let said = read(&wrong.replace(' ', "")).unwrap_err();
        assert!(said.contains(why), "{wrong}: {said}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = attestation::authenticator_data(&bytes);
        let _ = PublicKey::read(&mut minicbor::Decoder::new(&bytes));
        let _ = authenticator_data::parse(&bytes);
        let _ = client_data::read(&bytes, "webauthn.get", &party());
        // Behind what is right, too.
        let _ = authenticator_data::parse(&data("example.org", 0xc5, &bytes));
    }

    #[test]
    fn one_changed_byte_is_read_or_refused(at in 0_usize..250, byte in any::<u8>()) {
        let mut made = bytes(ES256_MADE);
        let at = at % made.len();
        made[at] = byte;
        if let Ok(data) = attestation::authenticator_data(&made) {
            let _ = authenticator_data::parse(&data);
        }
    }
}
