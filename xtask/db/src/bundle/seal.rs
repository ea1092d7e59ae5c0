//! Encryption by `age`: who can read a bundle, and what opens it.

use std::io::{self, BufReader, Read, Write};
use std::iter;
use std::path::Path;

use age::secrecy::SecretString;
use age::stream::StreamWriter;
use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, x25519};
use anyhow::{Context, Result, ensure};

use crate::console::refusal::Refusal;
use crate::console::text;

/// How an encrypted file begins (<https://age-encryption.org/v1>).
const MAGIC: &[u8] = b"age-encryption.org/";
/// How much work a passphrase is, as a power of two: as with the program `age`, a second and 256 MiB at most.
const WORK_FACTOR: u8 = 18;
/// The most that one may demand of us: four times as much.
const MAX_WORK_FACTOR: u8 = 20;
/// How large the header of an encrypted file may be, which has about 100 bytes for each recipient. Its parser takes time in
/// proportion to the square of it: a header of a few megabytes would take hours.
const MAX_HEADER_BYTES: u64 = 16 << 10;
/// How many recipients a bundle may have.
const MAX_RECIPIENTS: usize = 100;

/// How a bundle is closed.
pub(crate) enum Seal {
    /// It is not encrypted.
    Open,
    /// For recipients.
    Recipients(Vec<x25519::Recipient>),
    /// With a passphrase.
    Passphrase(SecretString),
}

impl Seal {
    /// For recipients, as they are configured.
    ///
    /// # Errors
    ///
    /// A refusal that names one that cannot be used.
    pub(crate) fn for_recipients(recipients: &[String]) -> Result<Self> {
        let parse = |recipient: &String| {
            recipient.parse::<x25519::Recipient>().map_err(|_| {
                let kind = match recipient {
                    pq if pq.starts_with("age1pq") => "is a post-quantum one, which age's library in Rust cannot use yet",
                    plugin if plugin.starts_with("age1") && plugin.matches('1').count() > 1 => "needs a plugin, which is not supported",
                    ssh if ssh.starts_with("ssh-") => "is an SSH key, which is not supported",
                    _ => "is not a recipient of age",
                };
                Refusal::could_not(
                    format!("the recipient `{}` {kind}", text::plain(recipient)),
                    "create a key with `age-keygen -o key.txt` and configure the `age1…` that it prints",
                )
            })
        };
        if recipients.len() > MAX_RECIPIENTS {
            return Err(Refusal::could_not(
                format!("a bundle has at most {MAX_RECIPIENTS} recipients"),
                "remove some from `recipients` in `[workspace.metadata.db.bundle]`",
            ));
        }
        Ok(Self::Recipients(recipients.iter().map(parse).collect::<Result<_>>()?))
    }

    /// Whether it encrypts.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        !matches!(self, Self::Open)
    }

    /// What encrypts to a writer.
    ///
    /// # Errors
    ///
    /// If the header cannot be written.
    pub(crate) fn close<W: Write>(&self, to: W) -> Result<Closing<W>> {
        let encryptor = match self {
            Self::Open => return Ok(Closing::Open(to)),
            Self::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(WORK_FACTOR);
                Encryptor::with_recipients(iter::once(&recipient as &dyn Recipient))
                    .context("could not use the passphrase")?
            }
            Self::Recipients(recipients) => {
                let recipients = recipients.iter().map(|recipient| recipient as &dyn Recipient);
                Encryptor::with_recipients(recipients).context("could not use the recipients")?
            }
        };
        Ok(Closing::Closed(encryptor.wrap_output(to).context("could not begin to encrypt")?))
    }
}

/// Encrypts what is written, or not.
pub(crate) enum Closing<W: Write> {
    Open(W),
    Closed(StreamWriter<W>),
}

impl<W: Write> Closing<W> {
    /// Ends the encryption.
    ///
    /// # Errors
    ///
    /// If the last part cannot be written.
    pub(crate) fn finish(self) -> io::Result<W> {
        match self {
            Self::Open(to) => Ok(to),
            Self::Closed(stream) => stream.finish(),
        }
    }
}

impl<W: Write> Write for Closing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(to) => to.write(bytes),
            Self::Closed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(to) => to.flush(),
            Self::Closed(stream) => stream.flush(),
        }
    }
}

/// What opens bundles.
#[derive(Default)]
pub(crate) struct Keys {
    identities: Vec<Box<dyn Identity>>,
    passphrase: Option<SecretString>,
}

impl Keys {
    /// Reads keys from files.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or is not what it should be.
    pub(crate) fn read(identity: Option<&Path>, passphrase: Option<&Path>) -> Result<Self> {
        let mut keys = Self::default();
        if let Some(path) = identity {
            let path_text = path.to_str().context("the path of the identity is not UTF-8")?;
            let file = age::IdentityFile::from_file(path_text.to_owned())
                .with_context(|| format!("could not read the identity `{}`", path.display()))?;
            let identities = file.into_identities().map_err(|_| {
                Refusal::could_not(
                    format!("`{}` contains no identity of age that can be used", path.display()),
                    "pass the file that `age-keygen -o` wrote",
                )
            })?;
            keys.identities
                .extend(identities.into_iter().map(|identity| identity as Box<dyn Identity>));
        }
        if let Some(path) = passphrase {
            keys.passphrase = Some(passphrase_in(path)?);
        }
        Ok(keys)
    }

    /// With a passphrase.
    #[must_use]
    pub(crate) fn of_passphrase(passphrase: SecretString) -> Self {
        Self { passphrase: Some(passphrase), ..Self::default() }
    }

    /// With one identity.
    #[must_use]
    pub(crate) fn of_identity(identity: x25519::Identity) -> Self {
        Self { identities: vec![Box::new(identity)], ..Self::default() }
    }

    /// Whether there is one.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.identities.is_empty() && self.passphrase.is_none()
    }

    /// What is in a bundle, decrypted if it is encrypted.
    ///
    /// # Errors
    ///
    /// A refusal if the keys do not open it, which is known from its header; or if it cannot be read.
    pub(crate) fn open<'r>(&self, mut from: Box<dyn Read + 'r>) -> Result<Box<dyn Read + 'r>> {
        let mut start = Vec::new();
        from.by_ref().take(MAX_HEADER_BYTES).read_to_end(&mut start)?;
        let is_sealed = start.starts_with(MAGIC);
        if is_sealed {
            demand_bounded(&start)?;
        }
        let whole = io::Cursor::new(start).chain(from);
        if !is_sealed {
            return Ok(Box::new(whole));
        }
        let decryptor =
            Decryptor::new_buffered(BufReader::new(whole)).map_err(|error| opened(&error))?;
        if self.is_empty() {
            return Err(Refusal::could_not(
                "the bundle is encrypted",
                if decryptor.is_scrypt() {
                    "pass the file with its passphrase: `--passphrase-file FILE`"
                } else {
                    "pass the file with the key of one of its recipients: `--identity FILE`"
                },
            ));
        }
        let of_passphrase = self.passphrase.clone().map(|passphrase| {
            let mut identity = scrypt::Identity::new(passphrase);
            identity.set_max_work_factor(MAX_WORK_FACTOR);
            identity
        });
        let passphrase = of_passphrase.iter().map(|identity| identity as &dyn Identity);
        let all = self.identities.iter().map(|identity| &**identity).chain(passphrase);
        let reader = decryptor.decrypt(all).map_err(|error| opened(&error))?;
        Ok(Box::new(reader))
    }
}

/// Fails if the header of an encrypted file is larger than any that we write.
fn demand_bounded(start: &[u8]) -> Result<()> {
    let mut lines = start.split(|byte| *byte == b'\n');
    let n_recipients = lines.by_ref().take_while(|line| !line.starts_with(b"---"));
    let n_recipients = n_recipients.filter(|line| line.starts_with(b"->")).count();
    // Ours are one more than those that are configured.
    let is_bounded = lines.next().is_some() && n_recipients <= MAX_RECIPIENTS + 1;
    ensure!(is_bounded, "its header is too large, or is incomplete");
    Ok(())
}

/// Reads a passphrase: the first line of a file.
///
/// # Errors
///
/// If it cannot be read or is empty.
pub(crate) fn passphrase_in(path: &Path) -> Result<SecretString> {
    let text = fs_err::read_to_string(path)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Refusal::could_not(
            format!("`{}` has no passphrase in its first line", path.display()),
            "write the passphrase into its first line",
        ));
    }
    Ok(SecretString::from(line.to_owned()))
}

/// Whether a file is encrypted, judged by its first bytes.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn is_sealed(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    fs_err::File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(start == MAGIC)
}

fn opened(error: &DecryptError) -> anyhow::Error {
    match error {
        DecryptError::NoMatchingKeys
        | DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed => Refusal::no(
            "the key or passphrase does not open the bundle",
            "pass the identity of one of its recipients, or its passphrase",
        ),
        DecryptError::ExcessiveWork { .. } => Refusal::could_not(
            "the bundle demands more work for its passphrase than is reasonable",
            "decrypt it with `age -d`, and restore what comes out",
        ),
        error => anyhow::anyhow!("{error}"),
    }
}
