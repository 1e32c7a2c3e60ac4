//! The directory of the demo: its configuration, its callers and where everything listens.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::attack;
use crate::adapters::kept_file::{self, UpdateError};
use crate::adapters::{clock, entropy};
use crate::cli::Failure;
use crate::domain::identity::{CallerBook, RANDOM_BYTES};
use crate::types::Secret;

const CONFIG: &str = "egret.toml";
const CALLERS: &str = "callers.toml";

/// Where the demo happens.
pub struct Place {
    directory: PathBuf,
    gateway: SocketAddr,
    admin: SocketAddr,
    banks: [SocketAddr; 3],
    /// Where notices of incidents go; `None` if there is no attack.
    receiver: Option<SocketAddr>,
    payments: Secret<String>,
    backoffice: Secret<String>,
}

impl Place {
    /// Makes the directory, the configuration and two callers with keys.
    ///
    /// # Errors
    /// The directory is in use or cannot be made.
    pub fn make(wanted: Option<&Path>) -> Result<Self, Failure> {
        Self::with(wanted, false)
    }

    /// The same for a demo that shows an attack: the bank is called as in production, and somebody
    /// is told of incidents.
    ///
    /// # Errors
    /// The directory is in use or cannot be made.
    pub fn make_for_attack(wanted: Option<&Path>) -> Result<Self, Failure> {
        Self::with(wanted, true)
    }

    fn with(wanted: Option<&Path>, is_attacked: bool) -> Result<Self, Failure> {
        let directory = directory(wanted)?;
        let [gateway, admin, cybrid, obp, wyre, receiver] = free_addresses()?;
        let callers = directory.join(CALLERS);
        let place = Self {
            gateway,
            admin,
            banks: [cybrid, obp, wyre],
            receiver: is_attacked.then_some(receiver),
            payments: add_caller(&callers, "payments")?,
            backoffice: add_caller(&callers, "backoffice")?,
            directory,
        };
        fs::write(place.config(), place.config_text())?;
        Ok(place)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.directory.join(CONFIG)
    }

    /// The configuration file as one types it in a shell.
    pub fn shown_config(&self) -> String {
        shown(&self.config())
    }

    /// Where the gateway listens.
    pub const fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Where Cybrid, OBP and Wyre listen.
    pub const fn banks(&self) -> [SocketAddr; 3] {
        self.banks
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where notices of incidents go.
    pub const fn receiver(&self) -> Option<SocketAddr> {
        self.receiver
    }

    /// Key of the caller `payments`.
    pub fn payments_key(&self) -> &str {
        self.payments.expose()
    }

    /// Key of the caller `backoffice`.
    pub fn backoffice_key(&self) -> &str {
        self.backoffice.expose()
    }

    /// The configuration.
    pub fn config_text(&self) -> String {
        let [cybrid, obp, wyre] = self.banks;
        let (gateway, admin) = (self.gateway, self.admin);
        // In the sandbox nobody is called: there is nothing to lose.
        let (environment, kind) = match self.receiver {
            Some(_) => ("environment = \"production\"\n", "production"),
            None => ("", "sandbox"),
        };
        let sections = self.receiver.map(attack::sections).unwrap_or_default();
        format!(
            "# Made by `egret demo`. It works again with the simulators on the same ports.\n\
             node = \"demo\"\n\
             data_dir = \".\"\n\
             workers = 1\n\n\
             [[listener]]\n\
             address = \"{gateway}\"\n\n\
             [admin]\n\
             address = \"{admin}\"\n\n\
             [callers]\n\
             file = \"{CALLERS}\"\n\n\
             [providers.cybrid]\n\
             {environment}\n\
             [providers.cybrid.services]\n\
             identity = {{ {kind} = \"http://{cybrid}\" }}\n\
             bank = {{ {kind} = \"http://{cybrid}\" }}\n\
             organization = {{ {kind} = \"http://{cybrid}\" }}\n\n\
             [providers.obp]\n\
             dauth_callers = [\"backoffice\"]\n\n\
             [providers.obp.services]\n\
             api = {{ sandbox = \"http://{obp}\" }}\n\n\
             [providers.wyre.services]\n\
             api = {{ sandbox = \"http://{wyre}\" }}\n\n\
             # More calls in a minute than a bank takes in an hour: its limits are only counted.\n\
             [limits]\n\
             shadow = true\n\n\
             [timeouts]\n\
             drain = \"2s\"\n{sections}"
        )
    }

    /// Says where the files are and what to try.
    pub fn suggest(&self, out: &mut impl Write) -> io::Result<()> {
        let directory = shown(&self.directory);
        let config = self.shown_config();
        let [cybrid, ..] = self.banks;
        let (gateway, admin) = (self.gateway, self.admin);
        write!(
            out,
            "
The files are in {directory} (`rm -r {directory}` removes them):
  egret.toml       the configuration
  journal/         the records as they were made, before and after each call
  ledger.db        the records: SQLite, one row a call
  callers.toml     the callers with hashes of their keys
  fingerprint.key  the key of fingerprints and pseudonyms

Try next:
  Money that may or may not have moved:
    egret audit query -c {config} --effect money --outcome unknown
  Who was refused, and why:
    egret audit query -c {config} --decision denied --format json
  Reads of personal data, by whom:
    egret audit report pii-access -c {config} --from 1h
  What the gateway makes of a request of yours (paste it, then Ctrl-D):
    egret classify -c {config} --caller payments
  Which operation a path is:
    egret catalog match POST /cybrid/bank/api/trades -c {config}
  The same gateway once more, with one of the banks, how it is, and a key of your own:
    egret sim cybrid --listen {cybrid} &
    egret serve -c {config} &
    curl http://{admin}/readyz http://{admin}/metrics
    export EGRET_KEY=$(egret caller add me --key-only -c {config})
    curl -H \"Proxy-Authorization: Bearer $EGRET_KEY\" -H 'Content-Type: application/json' \\
      -d '{{\"grant_type\":\"client_credentials\",\"client_id\":\"sim-bank-id\",\"client_secret\":\"sim-bank-secret\"}}' \\
      http://{gateway}/cybrid/identity/oauth/token
    egret audit tail -c {config}
"
        )
    }
}

/// A new directory, or the one that is wanted if there is nothing in it.
fn directory(wanted: Option<&Path>) -> Result<PathBuf, Failure> {
    let Some(path) = wanted else {
        let random = entropy::id_bytes::<6>().map_err(Failure::new)?;
        let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("egret-demo-{name}"));
        make_private(&path, false)?;
        return Ok(path);
    };
    make_private(path, true)?;
    let mut entries = fs::read_dir(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    if entries.next().is_some() {
        return Err(Failure::usage(format!(
            "{} is not empty; name a new directory",
            path.display()
        )));
    }
    Ok(fs::canonicalize(path)?)
}

/// For the owner alone: there are keys in it.
fn make_private(path: &Path, and_parents: bool) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(and_parents)
        .mode(0o700)
        .create(path)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))
}

/// Loopback addresses with ports that are free now. All are held until all are found.
fn free_addresses() -> io::Result<[SocketAddr; 6]> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = [
        TcpListener::bind(any)?,
        TcpListener::bind(any)?,
        TcpListener::bind(any)?,
        TcpListener::bind(any)?,
        TcpListener::bind(any)?,
        TcpListener::bind(any)?,
    ];
    let mut addresses = [any; 6];
    for (address, listener) in addresses.iter_mut().zip(&listeners) {
        *address = listener.local_addr()?;
    }
    Ok(addresses)
}

fn add_caller(file: &Path, name: &str) -> Result<Secret<String>, Failure> {
    let random = entropy::key_bytes::<RANDOM_BYTES>().map_err(Failure::new)?;
    let new = kept_file::update(file, |book: &CallerBook| {
        book.add(name, None, clock::now(), &random)
    })
    .map_err(|error| match error {
        UpdateError::File(error) => Failure::new(error),
        UpdateError::Refused(error) => Failure::new(error),
    })?;
    Ok(Secret::new(new.key.expose().to_string()))
}

/// A path as one types it in a shell.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    if is_plain {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Setup;

    #[test]
    fn the_configuration_has_no_faults_and_the_directory_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let wanted = parent.path().join("a/b c");
        let place = Place::make(Some(&wanted)).unwrap();
        let setup = Setup::parse_alone(&place.config(), &place.config_text())
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(setup.config.providers.len(), 3);
        let ledger = setup.config.ledger.place.file().unwrap();
        assert!(ledger.starts_with(parent.path()));
        let mode = fs::metadata(&wanted).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(place.shown_config().starts_with('\''));
        let again = Place::make(Some(&wanted)).err().unwrap();
        assert_eq!(again.code, 2);
        for file in [CONFIG, CALLERS] {
            let text = fs::read_to_string(wanted.join(file)).unwrap();
            assert!(!text.contains(place.payments_key()), "{file}");
        }
    }
}
