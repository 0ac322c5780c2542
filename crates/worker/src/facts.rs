//! What a worker tells about itself in the room, in the words that deployed clients look for.

use serde_json::json;
use sleap_rtc_wire::Metadata;

use crate::slot::Device;
use crate::trainer::Trainer;

/// Tags that deployed workers carry.
const TAGS: [&str; 2] = ["sleap-rtc", "training-worker"];

/// Tags and properties for `register`. `tags` are the owner's own.
pub(crate) fn metadata(
    device: &Device,
    trainer: &Trainer,
    host: &str,
    name: Option<&str>,
    tags: &[String],
) -> Metadata {
    let tags: Vec<&str> = TAGS.into_iter().chain(tags.iter().map(String::as_str)).collect();
    let (gpu, memory_mb) = match device {
        Device::Gpu(gpu) => (gpu.name.as_str(), gpu.memory_mb.unwrap_or(0)),
        Device::Cpu => ("CPU", 0),
    };
    let shown = name.unwrap_or(host);
    Metadata::from(json!({
        "tags": tags,
        "properties": {
            "gpu_memory_mb": memory_mb,
            "gpu_model": gpu,
            // The deployed api shows these two, which no deployed worker sends.
            "gpu_name": gpu,
            "name": shown,
            "worker_name": shown,
            "hostname": host,
            "device": device.word(),
            "sleap_nn_version": trainer.version(),
            "worker_version": env!("CARGO_PKG_VERSION"),
            "max_concurrent_jobs": 1,
            "supported_models": ["base", "centroid", "topdown"],
            "supported_job_types": ["training"],
            "status": "available",
        }
    }))
}
