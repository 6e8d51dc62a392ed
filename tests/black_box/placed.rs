//! A service with a simulated Sinch, and a form of an order that is filled in.

use std::path::PathBuf;

use secrecy::SecretString;
use sinch_simulator::ordering::{PlacedOrder, Script};
use sinch_simulator::{Options, Simulator, World};
use testkit::{
    ALLOWED, Ended, KEY_ID, KEY_SECRET, PATIENCE, PROJECT, SECRET, Service, Settings, folder, id,
    now, run, within,
};

/// A number of the simulator's stock, and what is filled in of a form. All of it is invented.
pub const NUMBER: &str = "+61491571001";
const FILLED: [(&str, &str); 11] = [
    ("purposeOfTheTraffic", "\"Delivery notices ZQX-PURPOSE\""),
    ("intendedUseOfMobileNumbers", "\"Transactional\""),
    ("iConfirmThatMyBusinessHasAValidUseCaseForThisLn", "true"),
    ("endBusinessName", "\"ZQX-BUSINESS Pty\""),
    ("endBusinessAddress", "\"1 ZQX-STREET\""),
    ("city", "\"ZQX-CITY\""),
    ("state", "\"NSW\""),
    ("country", "\"AU\""),
    ("postalCode", "\"2000\""),
    ("firstName", "\"ZQX-FIRST\""),
    ("lastName", "\"ZQX-LAST\""),
];

/// Makes each step at Sinch take a tenth of its time.
pub fn hurried(mut script: Script) -> Script {
    let pace = &mut script.pace;
    for step in [
        &mut pace.pickup,
        &mut pace.review,
        &mut pace.upload,
        &mut pace.activation,
        &mut pace.provisioning,
    ] {
        *step /= 10;
    }
    script
}

/// A service with a simulated Sinch, and a form that is filled in.
pub struct Placed {
    pub simulator: Simulator,
    pub service: Service,
    pub settings: Settings,
    pub form: PathBuf,
    pub folder: tempfile::TempDir,
}

impl Placed {
    pub async fn new(script: Script) -> Placed {
        Placed::with(script, |settings| settings).await
    }

    /// Does the same with other settings of the service.
    pub async fn with(script: Script, change: impl FnOnce(Settings) -> Settings) -> Placed {
        let folder = folder();
        let simulator = Simulator::start_with(
            Options {
                world: World::from_orders(id(PROJECT), []),
                listen: (ALLOWED, 0).into(),
                callback_url: None,
                secret: SecretString::from(SECRET),
                key_id: KEY_ID.to_owned(),
                key_secret: SecretString::from(KEY_SECRET),
                now,
                senders: 4,
                retry_for: PATIENCE,
            },
            script,
        );
        let simulator = simulator.await.expect("the simulator starts");
        let settings = Settings::new(folder.path()).fix_addresses();
        let public = format!("http://{}", settings.addresses()[0]);
        let settings = settings
            .set("callbacks.public_url", public)
            .set("sinch.api_url", simulator.api_url())
            .set("sinch.token_url", simulator.token_url())
            .set("sinch.request_timeout_secs", 2.0)
            .set("worker.staleness_secs", 1.0)
            .set("worker.staleness_max_secs", 2.0);
        let settings = change(settings);
        let service = Service::start(&settings).await;
        let form = folder.path().join("form.toml");
        let placed = Placed {
            simulator,
            service,
            settings,
            form,
            folder,
        };
        placed.fill_in().await;
        placed
    }

    /// Writes the form by the command, and fills it in.
    async fn fill_in(&self) {
        let form = self.form.to_str().expect("a path");
        let ended = self
            .run_patiently(&[
                "order",
                "requirements",
                "AU",
                "MOBILE",
                "--form",
                form,
                "--number",
                NUMBER,
            ])
            .await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let mut text = std::fs::read_to_string(&self.form).expect("a form");
        for (name, value) in FILLED {
            let empty = [format!("{name} = \"\""), format!("{name} = false")];
            let line = empty.iter().find(|line| text.contains(line.as_str()));
            let line = line.unwrap_or_else(|| panic!("{name} stands empty in\n{text}"));
            text = text.replacen(line.as_str(), &format!("{name} = {value}"), 1);
        }
        let contact = text
            .rfind("phoneNumber = \"\"")
            .expect("the contact's number");
        text.replace_range(
            contact..contact + "phoneNumber = \"\"".len(),
            "phoneNumber = \"+61255501234\"",
        );
        text = text.replacen("file = \"\"", "file = \"ZQX-FILE.pdf\"", 1);
        std::fs::write(&self.form, text).expect("is written");
        let pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n";
        std::fs::write(self.form.with_file_name("ZQX-FILE.pdf"), pdf).expect("is written");
    }

    pub fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        // The service has written it, and other commands may be reading it.
        let config = self.settings.path().display().to_string();
        let own = ["--config", &config].map(str::to_owned);
        own.into_iter()
            .chain(arguments.iter().map(|&argument| argument.to_owned()))
            .collect()
    }

    pub async fn run(&self, arguments: &[&str]) -> Ended {
        run(self.arguments(arguments)).await
    }

    /// Runs a command that changes nothing until it succeeds.
    pub async fn run_patiently(&self, arguments: &[&str]) -> Ended {
        let ended = within(PATIENCE, async || {
            let ended = self.run(arguments).await;
            (ended.code == Some(0)).then_some(ended)
        });
        ended.await.expect("the command succeeds")
    }

    pub async fn place(&self, more: &[&str]) -> Ended {
        let form = self.form.to_str().expect("a path");
        self.run(&[&["order", "place", form], more].concat()).await
    }

    pub fn orders(&self) -> Vec<PlacedOrder> {
        self.simulator.ordering().orders()
    }

    pub fn only_order(&self) -> PlacedOrder {
        let mut orders = self.orders();
        assert_eq!(orders.len(), 1, "{orders:?}");
        orders.remove(0)
    }

    /// Changes a value of the form.
    pub fn replace(&self, old: &str, new: &str) {
        let text = std::fs::read_to_string(&self.form).expect("a form");
        assert!(text.contains(old), "{text}");
        std::fs::write(&self.form, text.replace(old, new)).expect("is written");
    }
}
