//! Where spans go: by way of OpenTelemetry to a collector that understands OTLP, over HTTP.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    self, BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData,
};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

/// Far above what the exporter gives a batch.
const TOO_LONG: Duration = Duration::from_secs(60);

/// Sends all spans of this process to `endpoint` from now on, by a thread of its own: no worker waits for
/// the collector. What has not been sent is when this is ended.
pub struct Otlp {
    provider: SdkTracerProvider,
    failure: Failure,
}

/// The first one to send a batch.
type Failure = Arc<Mutex<Option<OTelSdkError>>>;

/// Keeps what goes wrong: the thread that sends would tell nobody.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    failure: Failure,
}

impl trace::SpanExporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        assert_eq!(filch::current_thread_index(), None, "a worker sends spans");
        if let Err(error) = self.exporter.export(batch).await {
            self.failure.lock().unwrap().get_or_insert(error);
        }
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl Otlp {
    /// Once in a process, which has no more than so many spans: those that don't fit into the queue while
    /// the collector is slow would be lost.
    pub fn new(endpoint: &str, spans: usize) -> Result<Self, Box<dyn Error>> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()?;
        let failure = Failure::default();
        let exporter = Watched { exporter, failure: Arc::clone(&failure) };
        let config = BatchConfigBuilder::default().with_max_queue_size(spans).build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_resource(Resource::builder().with_service_name("words").build())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("filch"));
        // Not what the exporter does itself.
        let ours = filter_fn(|metadata| {
            ["filch", "export", "otlp"].iter().any(|name| metadata.target().starts_with(name))
        });
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(ours));
        tracing::subscriber::set_global_default(subscriber)?;
        Ok(Self { provider, failure })
    }

    /// Sends the rest.
    ///
    /// # Errors
    /// If anything could not be sent, then or before.
    pub fn end(self) -> Result<(), Box<dyn Error>> {
        self.provider.shutdown_with_timeout(TOO_LONG)?;
        self.failure.lock().unwrap().take().map_or(Ok(()), |error| Err(error.into()))
    }
}
