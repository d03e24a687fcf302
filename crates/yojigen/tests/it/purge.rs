//! What is destroyed is gone from the disk.

use std::path::Path;

use crate::hub::{Hub, run_well};

fn attachments(data: &Path) -> u64 {
    let files = std::fs::read_dir(data.join("db")).unwrap().map(|f| f.unwrap());
    let blobs = files.filter(|f| f.path().extension().is_some_and(|e| e == "blob"));
    blobs.map(|f| f.metadata().unwrap().len()).sum()
}

#[test]
fn a_destroyed_attachment_is_gone_when_the_files_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let hub = Hub::serve_with(&data, &["--allow-purge"], &[]);
    // What does not compress, so that sizes tell.
    let mut state = 1_u64;
    let mut noise = || -> String {
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[(state >> 58) as usize],
            )
        };
        std::iter::repeat_with(next).take(400_000).collect()
    };
    for id in ["kept", "gone"] {
        let body = format!(
            r#"{{"resourceType":"Binary","id":"{id}","contentType":"text/plain","data":"{}"}}"#,
            noise()
        );
        assert_eq!(hub.send("PUT", &format!("Binary/{id}"), &[], &body).status, 201);
    }
    // Both are written out before one is destroyed.
    assert!(hub.stop());
    let hub = Hub::serve_with(&data, &["--allow-purge"], &[]);
    assert_eq!(hub.send("POST", "Binary/gone/$purge", &[], "").status, 200);
    assert!(hub.stop());
    let before = attachments(&data);
    assert!(before > 550_000, "{before}");
    run_well(&["doctor", "--compact", "--data", data.to_str().unwrap()]);
    let after = attachments(&data);
    assert!(after > 250_000 && after < 350_000, "{after} of {before}");
    run_well(&["doctor", "--quiet", "--data", data.to_str().unwrap()]);
    assert_eq!(Hub::serve(&data).get("Binary/kept").0, 200);
}
