//! A simulated Sinch for commands that call it themselves, without a service.

use serde_json::Value;
use sinch_numbers::api::{
    Access, Auth, Client, NewOrder, NumberType, Ordered, PhoneNumber, Quantity,
};
use sinch_simulator::ordering::{Activation, Provisioning, Readings, Tokens, WithoutForm};
use sinch_simulator::{Simulator, World};
use testkit::{Ended, KEY_ID, KEY_SECRET, PROJECT, Settings, folder, id, play, run};

/// A number of the simulator's stock.
pub const NUMBER: &str = "+12015550100";

/// A simulated Sinch, and the program's configuration for it.
pub struct Played {
    pub simulator: Simulator,
    pub settings: Settings,
    pub client: Client,
    _folder: tempfile::TempDir,
}

impl Played {
    /// Plays a Sinch at which an order without a form is completed at once, with these readings of the rest.
    pub async fn with(change: impl FnOnce(&mut Readings)) -> Played {
        let folder = folder();
        let world = World::from_orders(id(PROJECT), []);
        let (simulator, settings) = play(world, Settings::new(folder.path())).await;
        let mut readings = simulator.ordering().readings();
        readings.tokens = Tokens::Full;
        readings.without_form = WithoutForm::AtOnce;
        readings.activation = Activation::AtOnce;
        readings.provisioning = Provisioning::Succeeds;
        readings.quantity = sinch_simulator::ordering::Quantity::All;
        change(&mut readings);
        simulator.ordering().set_readings(readings);
        let client = client(&simulator);
        Played {
            simulator,
            settings,
            client,
            _folder: folder,
        }
    }

    /// Runs a command.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let config = self.settings.write().display().to_string();
        run(["--config", &config].iter().chain(arguments)).await
    }

    /// Runs a command, which must end well, and returns its output.
    pub async fn output(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.out
    }

    /// Runs a command, which must end well, and returns the JSON that it prints.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.output(arguments).await;
        serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}"))
    }

    /// Orders numbers, submits the order, and returns its id.
    pub async fn order(&self, order: NewOrder) -> number_order::Id {
        let created = self.client.create_order(&order).await.expect("an order");
        let order = id(created.content.id_number_order.text().expect("an id"));
        self.client.submit_order(&order).await.expect("submitted");
        order
    }
}

/// Returns a client of the simulated Sinch.
pub fn client(simulator: &Simulator) -> Client {
    let url = |text: String| text.parse().expect("a URL");
    let minute = std::time::Duration::from_secs(60);
    let access = Access {
        api_url: url(simulator.api_url()),
        auth: Auth::OAuth2 {
            token_url: url(simulator.token_url()),
        },
        key_id: KEY_ID.to_owned(),
        key_secret: KEY_SECRET.to_owned().into(),
        request_timeout: minute,
        connect_timeout: minute,
        answer_max_bytes: 1 << 20,
        proxy_from_environment: false,
    };
    Client::new(id(PROJECT), access).expect("a client")
}

pub fn number(text: &str) -> PhoneNumber {
    PhoneNumber::new(text).expect("a number")
}

pub fn new_order(region: &str, number_type: NumberType, numbers: Ordered) -> NewOrder {
    NewOrder {
        region_code: region.to_owned(),
        number_type,
        numbers,
        sms_configuration: None,
        voice_configuration: None,
        callback_url: None,
    }
}

pub fn one_us() -> NewOrder {
    new_order("US", NumberType::LOCAL, Ordered::Number(number(NUMBER)))
}

pub fn several(region: &str, number_type: NumberType, requested_quantity: u32) -> NewOrder {
    let quantity = Quantity {
        requested_quantity,
        number_pattern: None,
        sequential: None,
        capabilities: Vec::new(),
    };
    new_order(region, number_type, Ordered::Quantity(quantity))
}
