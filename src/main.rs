//! `flagstone [file] [--directive value ...]`.

use flagstone::{
    config::{Invocation, invocation},
    server,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    match invocation() {
        Ok(Invocation::Serve(loaded)) if loaded.settings.daemonize => match server::supervise::detach(&loaded.stdin) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => server::run(*loaded),
            Err(error) => fail(&format!("could not go to the background: {error}")),
        },
        Ok(Invocation::Serve(loaded)) => server::run(*loaded),
        Ok(Invocation::Health(loaded)) => match server::health::check(&loaded.settings) {
            Ok(state) => {
                println!("{state}");
                ExitCode::SUCCESS
            }
            Err(reason) => fail(&reason),
        },
        Ok(Invocation::Export(loaded, path)) => server::redis_file::export(*loaded, &path),
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("flagstone: {reason}");
    ExitCode::FAILURE
}
