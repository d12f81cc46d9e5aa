//! Where spans go: by way of OpenTelemetry to a collector that understands OTLP, over HTTP.

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::error::Error;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

/// Sends all spans of this process to `endpoint` from now on, by a thread of its own: no worker waits for
/// the collector. What has not been sent is when this is ended.
pub struct Otlp(SdkTracerProvider);

impl Otlp {
    /// Once in a process.
    pub fn new(endpoint: &str) -> Result<Self, Box<dyn Error>> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .build()?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(Resource::builder().with_service_name("words").build())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("filch"));
        // Not what the exporter does itself.
        let ours = filter_fn(|metadata| {
            ["filch", "export", "otlp"].iter().any(|name| metadata.target().starts_with(name))
        });
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(ours));
        tracing::subscriber::set_global_default(subscriber)?;
        Ok(Self(provider))
    }

    /// Sends the rest.
    ///
    /// # Errors
    /// If that can't be sent; the end alone would keep it to itself.
    pub fn end(self) -> Result<(), Box<dyn Error>> {
        self.0.force_flush()?;
        Ok(self.0.shutdown()?)
    }
}
