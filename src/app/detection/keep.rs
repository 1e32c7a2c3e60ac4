//! Where what was learned is kept, and which node may use it.

use crate::adapters::detection_file::DetectionFile;
use crate::adapters::ledger::{LedgerError, LedgerPlace, SharedWatch};
use crate::domain::config::Config;
use crate::types::Micros;

/// A file of this node, or the ledger that a fleet shares.
pub(super) enum Keeper {
    File(DetectionFile),
    Fleet(Box<SharedWatch>),
}

impl Keeper {
    pub(super) fn of(config: &Config) -> Self {
        match &config.ledger.place {
            LedgerPlace::Sqlite(_) => Self::File(DetectionFile::new(&config.detect.directory)),
            LedgerPlace::Postgres(place) => Self::Fleet(Box::new(SharedWatch::new(place.clone()))),
        }
    }

    /// Whether this node detects: where others see the same ledger, one of them does.
    pub(super) async fn leads(&mut self) -> Result<bool, LedgerError> {
        match self {
            Self::File(_) => Ok(true),
            Self::Fleet(shared) => shared.leads().await,
        }
    }

    pub(super) async fn load(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::File(file) => file.read().map_err(|error| shown(file, &error)),
            Self::Fleet(shared) => shared.load().await.map_err(|error| error.to_string()),
        }
    }

    pub(super) async fn save(&mut self, state: &[u8], now: Micros) -> Result<(), String> {
        match self {
            Self::File(file) => file.write(state).map_err(|error| shown(file, &error)),
            Self::Fleet(shared) => shared
                .save(state, now)
                .await
                .map_err(|error| error.to_string()),
        }
    }

    /// Puts what cannot be used out of the way; says where it is.
    pub(super) async fn put_aside(&mut self) -> Result<String, String> {
        match self {
            Self::File(file) => {
                let aside = file.put_aside().map_err(|error| shown(file, &error))?;
                Ok(aside.display().to_string())
            }
            // The next state takes its place; another node of another version may still read it.
            Self::Fleet(_) => Ok("where it was, in the ledger".to_owned()),
        }
    }

    /// Lets another node take over at once.
    pub(super) async fn release(&mut self) {
        if let Self::Fleet(shared) = self {
            shared.release().await;
        }
    }
}

fn shown(file: &DetectionFile, error: &std::io::Error) -> String {
    format!("{}: {error}", file.path().display())
}
