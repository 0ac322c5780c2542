//! Looks into a job's labels before the trainer does: it opens whatever video they name, so they may name only what came along.

use std::path::Path;

use sleap_rtc_peer::slp::{self, trainer_path};
use sleap_rtc_wire::job::JobSpec;

/// Checks that every video of the labels in `work` is in the labels themselves or among the job's files. Blocks on the disk.
pub(crate) fn check(work: &Path, job: &JobSpec) -> Result<(), String> {
    for labels in std::iter::once(&job.labels).chain(&job.val_labels) {
        let file = slp::read(&work.join(labels)).map_err(|error| error.explained().cause)?;
        let stored = file.videos.iter().flat_map(slp::SlpVideo::stored);
        for video in stored.map(|stored| trainer_path(stored)) {
            let sent = job.videos.iter().find(|sent| sent.stored == video);
            let Some(sent) = sent else {
                return Err(format!("the labels name the video {video:?}, which did not come with the job"));
            };
            if !work.join(&sent.path).is_file() {
                return Err(format!("the video {video:?} is not among the files of the job"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use sleap_rtc_wire::JobId;
    use sleap_rtc_wire::job::{TrainOptions, VideoPath};

    use super::*;

    fn examples() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
    }

    fn checked(labels: &str, videos: Vec<VideoPath>) -> Result<(), String> {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir(work.path().join("labels")).unwrap();
        fs::create_dir(work.path().join("videos")).unwrap();
        fs::copy(examples().join(labels), work.path().join("labels").join(labels)).unwrap();
        fs::write(work.path().join("videos/0-clip.mp4"), b"").unwrap();
        let job = JobSpec {
            job_id: JobId::new("j").unwrap(),
            attempt: 1,
            trainer: "sleap-nn".to_owned(),
            run_name: "run".to_owned(),
            labels: format!("labels/{labels}"),
            val_labels: None,
            videos,
            stages: vec![],
            options: TrainOptions::default(),
        };
        check(work.path(), &job)
    }

    fn video(stored: &str, path: &str) -> VideoPath {
        VideoPath { stored: stored.to_owned(), path: path.to_owned() }
    }

    #[test]
    fn a_package_is_enough_by_itself() {
        assert_eq!(checked("flies.pkg.slp", vec![]), Ok(()));
    }

    #[test]
    fn a_video_that_did_not_come_along_is_refused() {
        assert_eq!(checked("flies.slp", vec![video("clip.mp4", "videos/0-clip.mp4")]), Ok(()));
        assert!(checked("flies.slp", vec![]).unwrap_err().contains("clip.mp4"));
        assert!(checked("flies.slp", vec![video("other.mp4", "videos/0-clip.mp4")]).unwrap_err().contains("clip.mp4"));
        assert!(checked("flies.slp", vec![video("clip.mp4", "videos/1-clip.mp4")]).unwrap_err().contains("clip.mp4"));
    }
}
