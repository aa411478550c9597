//! `cargo local`: the local cloud on the command line.

mod cli;

use std::io::Write as _;
use std::process::ExitCode;

use countersign_local::{Cloud, Options};

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match cli::parse(lexopt::Parser::from_env()) {
        Ok(cli::Command::Help) => {
            say(cli::HELP);
            Ok(())
        }
        Ok(cli::Command::Serve(options)) => serve(options).await,
        Ok(cli::Command::Simulate {
            template,
            parameters,
            file,
            svg,
        }) => countersign_local::simulate(&template, &parameters, &file, svg.as_deref()).map(|table| say(&table)),
        Ok(cli::Command::Rights { template, folder }) => cli::rights(&template, &folder),
        Ok(cli::Command::Routes { options, folder }) => cli::routes(options, &folder).await,
        Ok(cli::Command::Operator { port, command }) => cli::operator(port, command).await,
        Err(error) => Err(format!("{error}; cargo local --help tells what there is")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line. A closed pipe is not an error.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

async fn serve(options: Options) -> Result<(), String> {
    // Installed from the start: a Ctrl-C during the start must also leave nothing behind.
    let mut ended = std::pin::pin!(ended());
    let cloud = tokio::select! {
        cloud = Cloud::start(options) => cloud.map_err(|error| error.to_string())?,
        () = &mut ended => return Ok(()),
    };
    say(&format!("Ready on {0} (page: {0}/_local)", cloud.url()));
    ended.await;
    // After the `^C` that the terminal shows.
    say("");
    cloud.stop().await;
    Ok(())
}

/// Ctrl-C, or the signal that ends services.
#[cfg(unix)]
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => terminated.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    let hung_up = async {
        match signal(SignalKind::hangup()) {
            Ok(mut hung_up) => hung_up.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
        _ = hung_up => {}
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
async fn ended() {
    // If the handler cannot be installed, the system ends the process itself.
    let _ = tokio::signal::ctrl_c().await;
}
