//! Keeps the key that signs checkpoints (of a log) or cosigns them (of a witness).
//!
//! It is made on first start as a PKCS#8 file that `openssl pkey` reads, or comes from elsewhere:
//! PKCS#8 as PEM or DER, a Go `PRIVATE+KEY+…` line, or the 32 bytes of an Ed25519 private key, raw
//! or as `seed:` and 64 hexadecimal digits. Bare hexadecimal digits are refused on purpose: the
//! fingerprint key looks like that, and the two must not be mistaken for each other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::Ed25519KeyPair;

use crate::adapters::entropy;
use crate::adapters::private_file;
use crate::domain::evidence::{KeyError, SignatureType, SignerKey, VerifierKey};
use crate::types::Secret;

/// Environment variable that holds the key instead of the file, in any of the text forms.
pub const ENV: &str = "EGRET_SIGNING_KEY";

/// Environment variable that holds the key that is to be announced next, if the key itself comes
/// from the environment.
pub const NEXT_ENV: &str = "EGRET_SIGNING_KEY_NEXT";

/// A key of any accepted form is far shorter; a wrong path may lead to something large.
const MAX_BYTES: u64 = 16 * 1024;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// PKCS#8 version 1 around an Ed25519 private key (RFC 8410, section 7), which every OpenSSL with
/// Ed25519 reads; the 32 bytes of the key follow.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Why there is no signing key. No text holds a part of the key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file system refused.
    #[error("cannot {doing} the signing key file {path}: {cause}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Others may read the key.
    #[error(
        "the signing key file {path} has mode {mode:o}; others could read it: run \
         `chmod 600 {path}`, and make a new key if others may have read it"
    )]
    TooOpen {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is not a key that can sign.
    #[error("{place} does not hold a signing key: {found}; expected {EXPECTED}")]
    Malformed {
        /// File or environment variable.
        place: String,
        /// What it seems to be.
        found: Found,
    },
    /// The key is that of another name, or its name cannot be used.
    #[error("{place}: {cause}")]
    Key {
        /// File or environment variable.
        place: String,
        /// What is wrong.
        cause: KeyError,
    },
    /// The key is named for another log.
    #[error("{place} holds the key of {found}, but this log is called {wanted}")]
    OtherName {
        /// File or environment variable.
        place: String,
        /// Name in the key.
        found: String,
        /// Name of the log or witness.
        wanted: String,
    },
    /// The log was begun, and its key is not there.
    #[error(
        "the signing key file {path} is missing, and the log is signed by {wanted}: restore the \
         file from a copy; a new key cannot sign for this log"
    )]
    Missing {
        /// Which file.
        path: PathBuf,
        /// Public key in force.
        wanted: String,
    },
    /// A sound key, but not the one that this log has used so far.
    #[error(
        "{place} holds the key {found}, but the log is signed by {wanted}: restore that key, or \
         announce a new one with a key rotation, which needs the old key"
    )]
    NotInForce {
        /// File or environment variable.
        place: String,
        /// Public key of what was found.
        found: String,
        /// Public key in force.
        wanted: String,
    },
    /// No random bytes for a new key.
    #[error(transparent)]
    NoEntropy(#[from] entropy::NoEntropy),
}

const EXPECTED: &str = "an unencrypted Ed25519 key as PKCS#8 (PEM or DER), a `PRIVATE+KEY+` line, \
                        32 raw bytes, or `seed:` and 64 hexadecimal digits";

/// What stands in the place of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Found {
    /// Nothing.
    #[error("it is empty (a first start may have been cut short: delete it if nothing is signed)")]
    Empty,
    /// A large file.
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// A public key or certificate.
    #[error("it is a public key or certificate")]
    Public,
    /// Protected by a passphrase.
    #[error("it is encrypted (`openssl pkey -in FILE -out NEW` takes the passphrase off)")]
    Encrypted,
    /// PKCS#1, SEC 1, OpenSSH.
    #[error("it is a private key in a format other than PKCS#8")]
    OtherFormat,
    /// PKCS#8, but of RSA or ECDSA, or broken.
    #[error("it is PKCS#8 with another algorithm than Ed25519, or damaged")]
    OtherAlgorithm,
    /// 64 hexadecimal digits.
    #[error("it is 64 hexadecimal digits, as the fingerprint key is")]
    BareHex,
    /// None of these.
    #[error("it is in no known form")]
    Unknown,
}

/// Reads the key from the environment or the file; makes the file if neither is there. `name` is
/// the log's origin or the witness's name; `kind` says which of the two it signs as.
///
/// # Errors
/// [`SigningKeyError`]: what is wrong, where, and what to do.
pub fn load_or_create(
    path: &Path,
    from_env: Option<Secret<String>>,
    name: &str,
    kind: SignatureType,
) -> Result<SignerKey, SigningKeyError> {
    if from_env.is_none()
        && !path
            .try_exists()
            .map_err(|cause| io_error("look at", path, cause))?
    {
        // The name is checked before a file is made that could not be used.
        let seed = Secret::new(entropy::key_bytes()?);
        let key = SignerKey::from_seed(name, kind, seed.expose()).map_err(|cause| {
            SigningKeyError::Key {
                place: place_of(path),
                cause,
            }
        })?;
        return match create(path, &seed) {
            Ok(()) => Ok(key),
            // Another process was first: its key counts.
            Err(SigningKeyError::Io { cause, .. })
                if cause.kind() == io::ErrorKind::AlreadyExists =>
            {
                load(path, None, name, kind)
            }
            Err(error) => Err(error),
        };
    }
    load(path, from_env, name, kind)
}

/// Reads the key without making one.
///
/// # Errors
/// As [`load_or_create`]; a missing file is an error.
pub fn load(
    path: &Path,
    from_env: Option<Secret<String>>,
    name: &str,
    kind: SignatureType,
) -> Result<SignerKey, SigningKeyError> {
    if let Some(text) = from_env {
        let place = format!("the environment variable {ENV}");
        return decode(text.expose().as_bytes(), place, name, kind);
    }
    check_mode(path)?;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|cause| io_error("read", path, cause))?;
    decode(&bytes, place_of(path), name, kind)
}

/// Reads the key that is to be announced.
///
/// # Errors
/// As [`load`].
pub fn load_next(
    path: &Path,
    from_env: Option<Secret<String>>,
    name: &str,
) -> Result<SignerKey, SigningKeyError> {
    match from_env {
        Some(text) => {
            let place = format!("the environment variable {NEXT_ENV}");
            decode(
                text.expose().as_bytes(),
                place,
                name,
                SignatureType::Ed25519,
            )
        }
        None => load(path, None, name, SignatureType::Ed25519),
    }
}

/// Makes the file of a key that is to be announced; gives its public half.
///
/// # Errors
/// [`SigningKeyError`]; also when there is such a file already.
pub fn create_next(path: &Path, name: &str) -> Result<VerifierKey, SigningKeyError> {
    let seed = Secret::new(entropy::key_bytes()?);
    let key =
        SignerKey::from_seed(name, SignatureType::Ed25519, seed.expose()).map_err(|cause| {
            SigningKeyError::Key {
                place: place_of(path),
                cause,
            }
        })?;
    create(path, &seed)?;
    Ok(key.verifier().clone())
}

/// The key under another name; `path` says where it is from.
///
/// # Errors
/// [`SigningKeyError::Key`]: no key can have that name.
pub fn named(key: SignerKey, name: &str, path: &Path) -> Result<SignerKey, SigningKeyError> {
    if key.verifier().name() == name {
        return Ok(key);
    }
    key.renamed(name).map_err(|cause| SigningKeyError::Key {
        place: place_of(path),
        cause,
    })
}

/// Puts one key file in the place of another, durably. The other key is gone then.
///
/// # Errors
/// [`SigningKeyError::Io`].
pub fn replace(next: &Path, path: &Path) -> Result<(), SigningKeyError> {
    fs::rename(next, path)
        .and_then(|()| File::open(directory_of(path))?.sync_all())
        .map_err(|cause| io_error("replace", path, cause))
}

fn directory_of(path: &Path) -> &Path {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// Checks that a sound key is the one that the log's history ends with. To be called before the
/// first signature: a checkpoint of an unannounced key would look forged to every auditor.
///
/// # Errors
/// [`SigningKeyError::NotInForce`].
pub fn check_in_force(
    key: &SignerKey,
    wanted: &VerifierKey,
    path: &Path,
) -> Result<(), SigningKeyError> {
    if key.verifier() == wanted {
        return Ok(());
    }
    Err(SigningKeyError::NotInForce {
        place: place_of(path),
        found: key.verifier().to_string(),
        wanted: wanted.to_string(),
    })
}

fn check_mode(path: &Path) -> Result<(), SigningKeyError> {
    let file = fs::metadata(path).map_err(|cause| io_error("look at", path, cause))?;
    match private_file::too_open(&file) {
        None => Ok(()),
        Some(mode) => Err(SigningKeyError::TooOpen {
            path: path.to_owned(),
            mode,
        }),
    }
}

/// Writes a new key file, durably: a signature must not outlive its key.
fn create(path: &Path, seed: &Secret<[u8; 32]>) -> Result<(), SigningKeyError> {
    let directory = directory_of(path);
    fs::create_dir_all(directory)
        .map_err(|cause| io_error("make the directory of", path, cause))?;
    let der = [&PKCS8_PREFIX[..], seed.expose()].concat();
    let text = format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode(der));
    // create_new: of two processes that start at once, the second must not replace the key.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|cause| io_error("make", path, cause))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(|cause| io_error("write", path, cause))
}

fn decode(
    bytes: &[u8],
    place: String,
    name: &str,
    kind: SignatureType,
) -> Result<SignerKey, SigningKeyError> {
    let wrap = |cause| SigningKeyError::Key {
        place: place.clone(),
        cause,
    };
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim();
    if text.starts_with("PRIVATE+KEY+") {
        let key = SignerKey::parse(text).map_err(wrap)?;
        let found = key.verifier();
        if found.name() != name {
            return Err(SigningKeyError::OtherName {
                place,
                found: found.name().to_owned(),
                wanted: name.to_owned(),
            });
        }
        found.check_use(kind).map_err(wrap)?;
        return Ok(key);
    }
    let pair = pair(bytes, text).map_err(|found| SigningKeyError::Malformed {
        place: place.clone(),
        found,
    })?;
    SignerKey::from_pair(name, kind, pair).map_err(wrap)
}

fn pair(bytes: &[u8], text: &str) -> Result<Ed25519KeyPair, Found> {
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_BYTES) {
        return Err(Found::TooLong);
    }
    if let Some(hex) = text.strip_prefix("seed:") {
        let seed = parse_hex(hex.trim()).ok_or(Found::Unknown)?;
        return Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Found::Unknown);
    }
    if let Some((_, rest)) = text.split_once(PEM_BEGIN) {
        let (body, _) = rest.split_once(PEM_END).ok_or(Found::Unknown)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| Found::Unknown)?;
        return pkcs8(&der);
    }
    if text.contains("-----BEGIN ") {
        return Err(other_pem(text));
    }
    if parse_hex(text).is_some() {
        return Err(Found::BareHex);
    }
    match bytes {
        // Not the trimmed text: raw bytes may happen to be text.
        _ if bytes.len() == 32 => {
            Ed25519KeyPair::from_seed_unchecked(bytes).map_err(|_| Found::Unknown)
        }
        // A DER sequence.
        [0x30, ..] => pkcs8(bytes),
        _ if bytes.iter().all(u8::is_ascii_whitespace) => Err(Found::Empty),
        _ => Err(Found::Unknown),
    }
}

fn pkcs8(der: &[u8]) -> Result<Ed25519KeyPair, Found> {
    // "maybe unchecked": OpenSSL writes version 1, which lacks the public key; where there is
    // one, it is checked.
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| Found::OtherAlgorithm)
}

fn other_pem(text: &str) -> Found {
    if text.contains("ENCRYPTED") {
        Found::Encrypted
    } else if text.contains("PRIVATE KEY-----") {
        Found::OtherFormat
    } else if text.contains("PUBLIC KEY-----") || text.contains("CERTIFICATE-----") {
        Found::Public
    } else {
        Found::Unknown
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut seed = [0; 32];
    for (byte, at) in seed.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(seed)
}

fn place_of(path: &Path) -> String {
    format!("the signing key file {}", path.display())
}

fn io_error(doing: &'static str, path: &Path, cause: io::Error) -> SigningKeyError {
    SigningKeyError::Io {
        doing,
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NAME: &str = "node-1.example/egret";
    const LOG: SignatureType = SignatureType::Ed25519;

    fn put(path: &Path, bytes: impl AsRef<[u8]>) {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_key_is_made_once_with_mode_0600_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/signing.pem");
        let made = load_or_create(&path, None, NAME, LOG).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let read = load_or_create(&path, None, NAME, LOG).unwrap();
        assert_eq!(read.verifier(), made.verifier());
        check_in_force(&read, made.verifier(), &path).unwrap();
        let witness = load(&path, None, NAME, SignatureType::CosignatureV1).unwrap();
        assert_ne!(witness.verifier().id(), made.verifier().id());
    }

    #[test]
    fn every_form_gives_the_same_key() {
        // RFC 8410, section 10.3 (the second key has attributes and a public key).
        let v1 = "-----BEGIN PRIVATE KEY-----\n\
                  MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                  -----END PRIVATE KEY-----\n";
        let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
        let seed = "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
        let der = STANDARD.decode(v1.lines().nth(1).unwrap()).unwrap();
        let raw = parse_hex(seed).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let forms: [&[u8]; 4] = [
            v1.as_bytes(),
            &der,
            &raw,
            format!("seed:{seed}\n").as_bytes(),
        ]
        .map(|form| form.to_vec().leak() as &[u8]);
        for form in forms {
            put(&path, form);
            let key = load(&path, None, NAME, LOG).unwrap();
            let hex: String = key
                .verifier()
                .public()
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert_eq!(hex, public);
        }
        let env = Some(Secret::new(v1.to_owned()));
        let missing = dir.path().join("missing");
        let key = load_or_create(&missing, env, NAME, LOG).unwrap();
        assert!(
            !missing.exists(),
            "a key from the environment makes no file"
        );
        assert_eq!(key.verifier().name(), NAME);
    }

    #[test]
    fn a_go_signer_key_keeps_its_name() {
        let go = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        let from = |name| {
            load(
                Path::new("unused"),
                Some(Secret::new(go.to_owned())),
                name,
                LOG,
            )
        };
        assert_eq!(
            from("PeterNeumann").unwrap().verifier().name(),
            "PeterNeumann"
        );
        let error = from(NAME).unwrap_err().to_string();
        assert!(error.contains("PeterNeumann") && error.contains(NAME) && error.contains(ENV));
        assert!(!error.contains("AYEKF"), "{error}");
    }

    #[test]
    fn a_wrong_key_file_is_named_for_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let pem = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        let fingerprint = "00".repeat(32);
        let cases: [(Vec<u8>, Found); 11] = [
            (Vec::new(), Found::Empty),
            (b" \n".to_vec(), Found::Empty),
            (vec![b'a'; 20_000], Found::TooLong),
            (pem("PUBLIC KEY").into(), Found::Public),
            (pem("CERTIFICATE").into(), Found::Public),
            (pem("ENCRYPTED PRIVATE KEY").into(), Found::Encrypted),
            (pem("EC PRIVATE KEY").into(), Found::OtherFormat),
            (pem("OPENSSH PRIVATE KEY").into(), Found::OtherFormat),
            (pem("PRIVATE KEY").into(), Found::OtherAlgorithm),
            (fingerprint.into(), Found::BareHex),
            (b"not a key at all".to_vec(), Found::Unknown),
        ];
        for (content, expected) in cases {
            put(&path, content);
            let error = load_or_create(&path, None, NAME, LOG).unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(error, SigningKeyError::Malformed { found, .. } if found == expected),
                "{text}"
            );
            assert!(
                text.contains("signing key file") && text.contains("PKCS#8"),
                "{text}"
            );
            assert!(!text.contains("not a key at all"), "{text}");
        }
    }

    #[test]
    fn faults_around_the_file_say_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = load_or_create(&path, None, NAME, LOG).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load(&path, None, NAME, LOG).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");

        let missing = load(&dir.path().join("none"), None, NAME, LOG)
            .unwrap_err()
            .to_string();
        assert!(missing.contains("No such file"), "{missing}");

        let other = SignerKey::from_seed(NAME, LOG, &[1; 32]).unwrap();
        let error = check_in_force(&key, other.verifier(), &path)
            .unwrap_err()
            .to_string();
        assert!(error.contains("rotation"), "{error}");

        let unnamed = dir.path().join("unnamed");
        assert!(load_or_create(&unnamed, None, "two words", LOG).is_err());
        assert!(!unnamed.exists(), "no file for a key that cannot be used");
    }
}
