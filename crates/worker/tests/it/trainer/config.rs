use sleap_rtc_worker::trainer::config::{Config, ConfigError, KEYS, MAX_BYTES};

const CENTROID: &str = include_str!("../../../../../examples/centroid.yaml");
const BOTTOMUP: &str = include_str!("../../../../../examples/bottomup.yaml");

const MINIMAL: &str = "model_config:\n  head_configs:\n    centroid:\n      confmaps: {sigma: 5}\n";

fn with(extra: &str) -> Result<Config, ConfigError> {
    Config::parse(&format!("{MINIMAL}{extra}"))
}

fn refused(extra: &str) -> String {
    with(extra).unwrap_err().to_string()
}

#[test]
fn every_line_of_the_table_is_a_rule() {
    let mut last: Vec<&str> = Vec::new();
    for line in KEYS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (rule, key) = line.split_once(' ').unwrap();
        assert!(["keep", "section", "free", "carried", "set", "drop", "refuse"].contains(&rule), "{line}");
        assert!(!last.contains(&key.trim()), "twice: {line}");
        last.push(key.trim());
    }
    assert!(last.len() > 300);
}

#[test]
fn the_examples_pass_without_what_the_worker_sets() {
    let config = Config::parse(CENTROID).unwrap();
    assert_eq!(config.model(), "centroid");
    assert!(config.notes().is_empty(), "{:?}", config.notes());
    assert!(!config.wants_val_labels());
    let yaml = config.yaml();
    for kept in ["max_epochs: 5", "lr: 0.004", "anchor_part: \"thorax\"", "scale: 0.25", "seed: 42"] {
        assert!(yaml.contains(kept), "{kept} in {yaml}");
    }
    for gone in ["train_labels_path", "ckpt_dir", "run_name", "trainer_accelerator", "use_wandb", "resume_ckpt_path"] {
        assert!(!yaml.contains(gone), "{gone} in {yaml}");
    }
    assert_eq!(Config::parse(BOTTOMUP).unwrap().model(), "bottomup");
}

#[test]
fn what_passes_passes_again_unchanged() {
    let yaml = Config::parse(CENTROID).unwrap().yaml();
    assert_eq!(Config::parse(&yaml).unwrap().yaml(), yaml);
}

#[test]
fn an_unknown_key_is_named() {
    assert_eq!(
        refused("trainer_config: {callbacks: [x]}"),
        "the configuration has an unknown key: trainer_config.callbacks"
    );
    let error = with("trainer_config: {batch_size: 4}").unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean trainer_config.train_data_loader.batch_size?");
    for key in ["hydra", "defaults", "__import__x"] {
        assert_eq!(refused(&format!("{key}: 1")), format!("the configuration has an unknown key: {key}"));
    }
}

#[test]
fn code_is_refused_wherever_it_stands() {
    assert!(refused("trainer_config: {optimizer: {_target_: os.system}}").contains("_target_"));
    assert!(refused("trainer_config: {wandb: {_target_: os.system}}").contains("_target_"));
    assert!(refused("trainer_config: {run_name: '${oc.env:HOME}'}").contains("${"));
    assert!(refused("description: 'x ${now:} y'").contains("${"));
    assert!(refused("data_config: {skeletons: [[{'${x}': 1}]]}").contains("${"));
}

#[test]
fn paths_and_weights_of_another_machine_are_refused() {
    assert!(refused("trainer_config: {resume_ckpt_path: /x.ckpt}").contains("not in the job"));
    assert!(refused("data_config: {test_file_path: [a.slp]}").contains("data_config.test_file_path"));
    let weights = MINIMAL.replace("  head_configs", "  pretrained_backbone_weights: w.ckpt\n  head_configs");
    assert_eq!(
        Config::parse(&weights).unwrap_err().hint().unwrap(),
        "set model_config.pretrained_backbone_weights to null"
    );
    let hub = MINIMAL.replace("  head_configs", "  backbone_config: {pretrained: {model_name: x/y}}\n  head_configs");
    assert!(Config::parse(&hub).unwrap_err().to_string().contains("backbone_config.pretrained"));
    let null = MINIMAL.replace("  head_configs", "  pretrained_backbone_weights: null\n  head_configs");
    assert!(Config::parse(&null).is_ok());
}

#[test]
fn validation_labels_must_come_with_the_job() {
    assert!(with("data_config: {val_labels_path: [val.slp]}").unwrap().wants_val_labels());
    assert!(!with("data_config: {val_labels_path: null}").unwrap().wants_val_labels());
    assert!(!with("data_config: {val_labels_path: []}").unwrap().wants_val_labels());
}

#[test]
fn what_is_not_used_is_said() {
    let config = with("trainer_config: {use_wandb: true, wandb: {api_key: secret}, profiler: simple}").unwrap();
    assert_eq!(
        config.notes(),
        ["trainer_config.use_wandb is not used on a worker", "trainer_config.profiler is not used on a worker"]
    );
    assert!(!config.yaml().contains("secret"));
}

#[test]
fn shapes_are_checked() {
    assert!(refused("trainer_config: 3").contains("trainer_config must be a map"));
    assert!(refused("trainer_config: {seed: {a: 1}}").contains("must be a value or a list"));
    assert!(refused("name: [[{a: 1}]]").contains("must be a value or a list"));
    assert!(Config::parse("- 1").unwrap_err().to_string().contains("must be a map"));
    assert!(Config::parse("").unwrap_err().to_string().contains("must be a map"));
    let free =
        MINIMAL.replace("  head_configs", "  backbone_config: {convnext: {arch: {depths: [3, 3]}}}\n  head_configs");
    assert!(Config::parse(&free).unwrap().yaml().contains("depths: [3, 3]"));
}

#[test]
fn one_model_a_configuration() {
    let none = Config::parse("model_config: {head_configs: {centroid: null}}").unwrap_err();
    assert_eq!(none, ConfigError::Model(0));
    let two = Config::parse("model_config: {head_configs: {centroid: {}, bottomup: {}}}").unwrap_err();
    assert_eq!(two, ConfigError::Model(2));
    assert_eq!(Config::parse("trainer_config: {seed: 1}").unwrap_err(), ConfigError::Model(0));
}

#[test]
fn a_long_text_is_not_even_read() {
    let long = format!("{MINIMAL}#{}", "x".repeat(MAX_BYTES));
    assert_eq!(Config::parse(&long).unwrap_err(), ConfigError::TooLarge(long.len()));
}
