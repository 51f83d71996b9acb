//! `flagstone [file] [--directive value ...]`.

use flagstone::{
    config::{Invocation, invocation},
    server,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    match invocation() {
        Ok(Invocation::Serve(loaded)) => server::run(*loaded),
        Ok(Invocation::Health(loaded)) => match server::health::check(&loaded.settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => fail(&reason),
        },
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("flagstone: {reason}");
    ExitCode::FAILURE
}
