//! The lower bound of every Rust function: sockets, Signature Version 4, and the function's own requests as text.
//! It parses no event, checks no token, parses no response and retries nothing, so no real function can be cheaper.

#![expect(clippy::disallowed_methods, reason = "there is nothing here but the edge")]

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{self, Read, Write as _},
    net::TcpStream,
    time::{SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The prefix of Secrets Manager's targets: read once, before the first call.
const SECRETS: &str = "secretsmanager.";

const ANSWER: &str = r#"{"statusCode":200,"headers":{"content-type":"application/json"},"isBase64Encoded":false,"body":"{\"id\":\"01KJG000000123456789ABCDEF\",\"token\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"}"#;

fn main() -> io::Result<()> {
    let variable = |name| env::var(name).map_err(|_| io::Error::other(name));
    // A line per request: the target and its input.
    let requests = fs::read_to_string(variable("BENCH_REQUESTS")?)?;
    let requests = requests.lines().filter_map(|line| line.split_once('\t'));
    let (init, call): (Vec<_>, Vec<_>) = requests.partition(|(target, _)| target.starts_with(SECRETS));
    // All services have one address here, so that the function has only one connection, too.
    let aws = variable("AWS_ENDPOINT_URL_DYNAMODB")?;
    let aws = aws.trim_start_matches("http://");
    let signer = Signer {
        host: aws.to_owned(),
        region: variable("AWS_REGION")?,
        id: variable("AWS_ACCESS_KEY_ID")?,
        secret: variable("AWS_SECRET_ACCESS_KEY")?,
        session: variable("AWS_SESSION_TOKEN")?,
    };
    let api = variable("AWS_LAMBDA_RUNTIME_API")?;
    let mut runtime = Connection::open(&api)?;
    let mut aws = Connection::open(aws)?;
    for (target, body) in &init {
        aws.exchange(&signer.request("secretsmanager", "1.1", target, body))?;
    }
    loop {
        let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {api}\r\n\r\n");
        let head = runtime.exchange(&next)?;
        let id = header(&head, "lambda-runtime-aws-request-id").ok_or(io::ErrorKind::InvalidData)?;
        for (target, body) in &call {
            aws.exchange(&signer.request("dynamodb", "1.0", target, body))?;
        }
        let length = ANSWER.len();
        runtime.exchange(&format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: {api}\r\ncontent-length: {length}\r\n\r\n{ANSWER}"
        ))?;
    }
}

struct Connection(TcpStream);

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a request; returns the head of the response in lower case.
    fn exchange(&mut self, request: &str) -> io::Result<String> {
        self.0.write_all(request.as_bytes())?;
        let (mut buffer, mut length) = ([0; 8192], 0);
        loop {
            let read = self.0.read(&mut buffer[length..])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += read;
            let found = &buffer[..length];
            let Some(end) = found.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&found[..end]).to_ascii_lowercase();
            let body: usize = header(&head, "content-length")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            if length >= end + 4 + body {
                return Ok(head);
            }
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| *found == name).map(|(_, value)| value.trim())
}

struct Signer {
    host: String,
    region: String,
    id: String,
    secret: String,
    session: String,
}

impl Signer {
    /// A request with Signature Version 4; `version` is that of AWS's JSON protocol.
    fn request(&self, service: &str, version: &str, target: &str, body: &str) -> String {
        let Self {
            host,
            region,
            id,
            secret,
            session,
        } = self;
        let (day, time) = now();
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let names = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target";
        let headers = format!(
            "content-type:application/x-amz-json-{version}\nhost:{host}\nx-amz-date:{day}T{time}Z\nx-amz-security-token:{session}\nx-amz-target:{target}\n"
        );
        let canonical = format!("POST\n/\n\n{headers}\n{names}\n{}", hex(&Sha256::digest(body)));
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{day}T{time}Z\n{scope}\n{}",
            hex(&Sha256::digest(canonical))
        );
        let key = [day.as_str(), region, service, "aws4_request", &to_sign]
            .iter()
            .fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
        format!(
            "POST / HTTP/1.1\r\n{}authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={}\r\ncontent-length: {}\r\n\r\n{body}",
            headers.replace('\n', "\r\n"),
            hex(&key),
            body.len()
        )
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// The current date and time in UTC, in the format of signatures.
fn now() -> (String, String) {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days, for days since 1970: years begin in March, so that a leap day ends one.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let time = format!("{:02}{:02}{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    (format!("{year:04}{month:02}{day:02}"), time)
}
