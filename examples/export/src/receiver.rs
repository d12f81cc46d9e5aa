//! A collector in this very process: enough of HTTP to take in what is posted to `/v1/traces`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// More than that is no batch of spans.
const LONGEST: usize = 1 << 26;

pub struct Receiver {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Receiver {
    /// On a free port of this machine, until the process ends.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let spans = Arc::<Mutex<Vec<Span>>>::default();
        let received = Arc::clone(&spans);
        thread::Builder::new().name("receiver".into()).spawn(move || {
            for stream in listener.incoming() {
                if let Err(error) = stream.and_then(|stream| receive(stream, &received)) {
                    eprintln!("receiver: {error}");
                }
            }
        })?;
        Ok(Self { address, spans })
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    /// All that have arrived.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

/// Takes in what comes over one connection.
fn receive(stream: TcpStream, spans: &Mutex<Vec<Span>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some(body) = request(&mut reader)? {
        spans.lock().unwrap().extend(spans_in(&body)?);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
                      content-length: 0\r\n\r\n";
        (&stream).write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// The body of the next request; `None` at the end.
pub fn request(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let garbled = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    if !line.starts_with("POST /v1/traces ") {
        return Err(garbled(line.trim_end()));
    }
    let mut length = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok().filter(|length| *length <= LONGEST);
        }
    }
    let mut body = vec![0; length.ok_or_else(|| garbled("a request without a length"))?];
    reader.read_exact(&mut body)?;
    Ok(Some(body))
}

pub fn spans_in(body: &[u8]) -> io::Result<Vec<Span>> {
    let request = ExportTraceServiceRequest::decode(body).map_err(io::Error::other)?;
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    Ok(scopes.flat_map(|scope| scope.spans).collect())
}

/// The value that a span has for this key, as text.
pub fn attribute(span: &Span, key: &str) -> Option<String> {
    let attribute = span.attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}
