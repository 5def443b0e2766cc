//! `tollbridge trace export`.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::Exit;
use crate::audit::{self, Format, Time};
use crate::store::{Store, StoreError};

/// Arguments of `trace export`.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// The form: JSON Lines, a table that spreadsheets read, or OpenTelemetry logs.
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Form,
    /// Only events since then: a time (RFC 3339), a date, or how long ago (`2h`, `14d`).
    #[arg(long, value_name = "T", value_parser = super::since)]
    since: Option<Time>,
    /// The file to write, in place of standard output. It must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The store, where the configuration cannot be read: `sqlite:FILE`.
    #[arg(long, value_name = "URL")]
    pub(super) store: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Form {
    Jsonl,
    Csv,
    Otlp,
}

pub(super) async fn export(store: &Store, args: &Export) -> Result<Exit, StoreError> {
    let out: Box<dyn Write> = match &args.out {
        None => Box::new(std::io::stdout().lock()),
        Some(path) => {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(path) {
                Ok(file) => Box::new(file),
                Err(error) => {
                    eprintln!("error: {} cannot be made: {error}", path.display());
                    return Ok(Exit::Failed);
                }
            }
        }
    };
    let mut out = BufWriter::new(out);
    let mut failed = None;
    let format = match args.format {
        Form::Jsonl => Format::JsonLines,
        Form::Csv => Format::Csv,
        Form::Otlp => Format::Otlp,
    };
    let take = |piece: String| match out.write_all(piece.as_bytes()) {
        Ok(()) => true,
        Err(error) => {
            failed = Some(error);
            false
        }
    };
    audit::export(store, format, args.since, take).await?;
    let failed = failed.or(out.flush().err());
    match failed {
        // A reader that went away (`| head`) has what it wanted.
        Some(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("error: the export cannot be written: {error}");
            Ok(Exit::Failed)
        }
        _ => Ok(Exit::Done),
    }
}
