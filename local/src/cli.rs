//! The command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_local::{Cloud, Options, PROCESSES_PER_FUNCTION};
use lexopt::{Arg, Parser, ValueExt as _};
use serde_json::Value;

const PORT: u16 = 3000;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
cargo local                      serve template.yaml on http://127.0.0.1:3000 with the real function binaries
cargo local operator '<json>'    send a command to the operator's function of the local cloud that is running
cargo local simulate FILE.csv    replay text messages (time,country,verified) against the template's limits: what would have
                                 been sent, refused and spent
cargo local rights DIR           list the rights of the template that no run used, of those with COUNTERSIGN_RIGHTS=DIR
cargo local routes DIR           tell which routes of the template lack a success, or a 401 without a credential, in the same runs

  --port N          another port; 0 for any that is free
  --data DIR        keep rows, keys and demo identities in DIR; without it everything is in memory
  --template FILE   another template than the workspace's template.yaml
  --binaries DIR    where the functions' binaries are; without it beside this program, where cargo puts them
  --aws URL         use DynamoDB, SES and SNS of another server that speaks AWS's protocols; without it they are built in
  --parameter N=V   another value of a parameter of the template; may be given for several
  --svg FILE        where simulate writes its chart
  --help            this text

What happened, and what tests do to it, below http://127.0.0.1:3000/_local (the page itself):

  GET, DELETE  messages, events, invocations, dead-letters
  GET          identities, tables, tables/TABLE, changes (a stream of what changed)
  GET, POST    clock          {\"advance_seconds\":60} moves it on
  GET, POST    authenticator  {\"uri\":\"otpauth://totp/…\"}: an authenticator app by that clock; DELETE authenticator/ID forgets
  POST         qr             {\"text\":\"…\"}: a QR code as SVG
  POST         sweep          deletes expired rows
  POST         streams/deliver   returns when functions have handled all stream records
  GET, POST, DELETE  faults      {\"service\":\"dynamodb\",\"operation\":\"PutItem\",\"function\":null,\"kind\":\"error\",\"skip\":0,\"times\":1};
                                 service: dynamodb, ses, sns, secretsmanager, events; kind: error, throttle, hang,
                                 drop_response, kill_before, kill_after, conflict, rejected, opted_out";

/// A parsed command line.
#[derive(Debug)]
pub(crate) enum Command {
    /// Print [`HELP`].
    Help,
    /// Serve until a signal.
    Serve(Options),
    /// Send a command to the operator's function.
    Operator {
        /// The running cloud's port.
        port: u16,
        /// A JSON object.
        command: String,
    },
    /// Replay a file of text messages.
    Simulate {
        /// The template that declares the parameters.
        template: PathBuf,
        /// Values that override the defaults of parameters.
        parameters: BTreeMap<String, String>,
        /// The messages.
        file: PathBuf,
        /// Where the chart is written, if it is wanted.
        svg: Option<PathBuf>,
    },
    /// Report which routes lack tests, from the records in the folder.
    Routes {
        /// The options of a cloud with these routes.
        options: Options,
        /// The folder given as [`Options::rights`].
        folder: PathBuf,
    },
    /// Report the permissions that no cloud with a record in the folder has used.
    Rights {
        /// The template that declares the roles.
        template: PathBuf,
        /// The folder given as [`Options::rights`].
        folder: PathBuf,
    },
}

/// Parses the arguments.
pub(crate) fn parse(mut arguments: Parser) -> Result<Command, lexopt::Error> {
    let (mut port, mut data, mut template, mut folder, mut aws) = (PORT, None, None, None, None);
    let (mut parameters, mut svg) = (BTreeMap::new(), None);
    let mut words: Vec<String> = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("port") => port = arguments.value()?.parse()?,
            Arg::Long("data") => data = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("template") => template = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("svg") => svg = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("binaries") => folder = Some(PathBuf::from(arguments.value()?)),
            Arg::Long("parameter") => {
                let given = arguments.value()?.string()?;
                let (name, value) =
                    given.split_once('=').ok_or_else(|| format!("--parameter wants NAME=VALUE, not {given:?}"))?;
                parameters.insert(name.to_owned(), value.to_owned());
            }
            Arg::Long("aws") => aws = Some(arguments.value()?.string()?),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let template = template.unwrap_or_else(|| workspace().join("template.yaml"));
    let mut words = words.into_iter();
    match (words.next().as_deref(), words.next(), words.next()) {
        (None, ..) => Ok(Command::Serve(Options {
            template,
            binaries: folder.unwrap_or_else(binaries),
            port,
            data,
            processes_per_function: PROCESSES_PER_FUNCTION,
            environment: BTreeMap::new(),
            aws,
            rights: std::env::var_os("COUNTERSIGN_RIGHTS").map(PathBuf::from),
            parameters,
            follow_streams: true,
            check_functions: true,
            quiet: false,
        })),
        (Some("operator"), Some(command), None) => Ok(Command::Operator { port, command }),
        (Some("simulate"), Some(file), None) => Ok(Command::Simulate {
            template,
            parameters,
            file: file.into(),
            svg,
        }),
        (Some("rights"), Some(folder), None) => Ok(Command::Rights {
            template,
            folder: folder.into(),
        }),
        (Some("routes"), Some(record), None) => Ok(Command::Routes {
            options: Options::new(template, folder.unwrap_or_else(binaries)),
            folder: record.into(),
        }),
        (Some("routes"), ..) => Err("routes takes one folder".into()),
        (Some("simulate"), ..) => Err("simulate takes one file".into()),
        (Some("rights"), ..) => Err("rights takes one folder".into()),
        (Some("operator"), ..) => Err("operator takes one JSON object, in quotes".into()),
        (Some(other), ..) => Err(format!("there is no command {other:?}").into()),
    }
}

/// The workspace's folder, the parent of this crate.
fn workspace() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(PathBuf::from).unwrap_or(own)
}

/// The functions are built beside this program.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().ok();
    own.as_deref().and_then(Path::parent).map(PathBuf::from).unwrap_or_default()
}

/// Prints the allowed but unused permissions of the template; an error if there are any.
pub(crate) fn rights(template: &Path, folder: &Path) -> Result<(), String> {
    let unused = countersign_local::unused_rights(template, folder)?;
    unused.iter().for_each(|right| println!("{right}"));
    match unused.len() {
        0 => Ok(()),
        count => Err(format!("{count} rights of {} were not used", template.display())),
    }
}

/// Prints which of the template's routes lack tests; an error if there are any.
pub(crate) async fn routes(options: Options, folder: &Path) -> Result<(), String> {
    let template = options.template.clone();
    let cloud = Cloud::start(options).await.map_err(|error| error.to_string())?;
    let untested = cloud.untested_routes(folder).await;
    cloud.stop().await;
    let untested = untested?;
    untested.iter().for_each(|route| println!("{route}"));
    match untested.len() {
        0 => Ok(()),
        count => Err(format!("{count} answers that routes of {} need were not tested", template.display())),
    }
}

/// Sends a command to the operator's function unchanged and prints its answer.
pub(crate) async fn operator(port: u16, command: String) -> Result<(), String> {
    if !matches!(serde_json::from_str(&command), Ok(Value::Object(_))) {
        return Err("the operator's command must be a JSON object".to_owned());
    }
    let answer = invoke_operator(port, command).await?;
    println!("{answer:#}");
    match answer.get("error").or(answer.get("errorMessage")).or(answer.get("Message")) {
        Some(error) => Err(format!("the operator's function answered {error}")),
        None => Ok(()),
    }
}

async fn invoke_operator(port: u16, command: String) -> Result<Value, String> {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(|error| error.to_string())?;
    let request = client
        .post(format!("http://127.0.0.1:{port}/2015-03-31/functions/operator/invocations"))
        .body(command);
    let answer = request.send().await;
    let answer = answer.map_err(|_| format!("no local cloud answers on port {port}; start one with cargo local"))?;
    let body = answer.json().await;
    body.map_err(|_| format!("what answers on port {port} is no local cloud"))
}
