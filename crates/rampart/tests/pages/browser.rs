//! A headless Chromium, driven over its DevTools pipe: pages are opened as they are, with input as
//! of a mouse and a keyboard, and whatever the browser complains about is kept.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long the browser may take over one answer before the test is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The browser with one page.
pub(crate) struct Browser {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last: u64,
    complaints: Vec<String>,
    requests: Vec<String>,
    loaded: bool,
    profile: tempfile::TempDir,
}

/// The browser, or why there is none. On CI there must be one.
pub(crate) fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("RAMPART_TEST_CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path)
        .flat_map(|directory| ["chromium", "chromium-browser"].map(|name| directory.join(name)))
        .find(|file| file.is_file());
    let found = named.or(on_path);
    if found.is_none() {
        let reason = "there is no chromium on PATH, and RAMPART_TEST_CHROMIUM names none";
        assert!(std::env::var_os("CI").is_none(), "{reason}");
        eprintln!("SKIP: pages are not opened in a browser: {reason}");
    }
    found
}

impl Browser {
    /// Starts it with an empty page.
    pub(crate) fn start(program: &Path, dark: bool) -> Self {
        let profile = tempfile::tempdir().expect("a directory");
        let said = std::fs::File::create(profile.path().join("said")).expect("a file");
        // The pipe is file descriptors 3 and 4 of the browser.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-extensions",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--hide-scrollbars",
                "--window-size=1280,900",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .expect("a shell");
        let commands = child.stdin.take().expect("piped");
        let output = child.stdout.take().expect("piped");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(bytes) = message else { return };
                let Ok(value) = serde_json::from_slice(&bytes) else {
                    continue;
                };
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            commands,
            messages,
            session: String::new(),
            last: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
            loaded: false,
            profile,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached = browser.call(
            "Target.attachToTarget",
            json!({"targetId": page["targetId"], "flatten": true}),
        );
        browser.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        if dark {
            let dark = json!([{"name": "prefers-color-scheme", "value": "dark"}]);
            browser.call("Emulation.setEmulatedMedia", json!({"features": dark}));
        }
        browser
    }

    /// Sends a command and waits for its result; an error of the browser fails the test.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": parameters});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.as_str().into();
        }
        self.commands
            .write_all(format!("{command}\0").as_bytes())
            .expect("the browser reads commands");
        loop {
            let message = self.message();
            if message["id"] == self.last {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn message(&self) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| {
                let said = std::fs::read_to_string(self.profile.path().join("said"));
                panic!("the browser does not answer: {error}: {said:?}")
            })
    }

    fn note(&mut self, message: &Value) {
        let parameters = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.loaded = true,
            "Runtime.exceptionThrown" => self.complaints.push(parameters.to_string()),
            "Runtime.consoleAPICalled" => self.complaints.push(parameters.to_string()),
            "Log.entryAdded" => self.complaints.push(parameters.to_string()),
            "Page.javascriptDialogOpening" => self.complaints.push(parameters.to_string()),
            "Network.requestWillBeSent" => {
                let address = parameters["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(address.to_owned());
            }
            _ => {}
        }
    }

    /// Opens a file, and waits until it is there and its script has shown everything.
    pub(crate) fn open(&mut self, file: &Path) {
        self.load(file);
        assert_eq!(self.value("document.documentElement.dataset.ready"), "yes");
    }

    /// Opens a file and waits until it is there.
    pub(crate) fn load(&mut self, file: &Path) {
        self.loaded = false;
        self.requests.clear();
        let address = format!("file://{}", file.display());
        let result = self.call("Page.navigate", json!({"url": address}));
        assert!(result["errorText"].is_null(), "{result}");
        while !self.loaded {
            let message = self.message();
            self.note(&message);
        }
    }

    /// What an expression comes to in the page; of a promise, what it is kept with.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let result = self.call("Runtime.evaluate", parameters);
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    /// The text of what a selector names first.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let value = self.value(&format!("document.querySelector({selector:?}).innerText"));
        value.as_str().expect("an element with text").to_owned()
    }

    /// How many a selector names.
    pub(crate) fn count(&mut self, selector: &str) -> u64 {
        let count = self.value(&format!("document.querySelectorAll({selector:?}).length"));
        count.as_u64().expect("a number")
    }

    /// The middle of an element, scrolled to where it can be seen.
    fn middle(&mut self, selector: &str) -> (f64, f64) {
        let place = self.value(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); \
             e.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             const r = e.getBoundingClientRect(); \
             return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        let number = |at: usize| place[at].as_f64().expect("a place");
        (number(0), number(1))
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64), more: &Value) {
        let mut parameters = json!({"type": kind, "x": x, "y": y});
        if let (Some(all), Some(more)) = (parameters.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        self.call("Input.dispatchMouseEvent", parameters);
    }

    /// Clicks with the mouse.
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.middle(selector);
        let left = json!({"button": "left", "clickCount": 1});
        self.mouse("mousePressed", place, &left);
        self.mouse("mouseReleased", place, &left);
        self.settle();
    }

    /// Drags from the middle of an element.
    pub(crate) fn drag(&mut self, selector: &str, by: (f64, f64)) {
        let (x, y) = self.middle(selector);
        let left = json!({"button": "left", "buttons": 1, "clickCount": 1});
        self.mouse("mousePressed", (x, y), &left);
        self.mouse("mouseMoved", (x + by.0, y + by.1), &left);
        self.mouse("mouseReleased", (x + by.0, y + by.1), &left);
        self.settle();
    }

    /// Turns the wheel over the middle of an element; up is negative.
    pub(crate) fn wheel(&mut self, selector: &str, by: f64) {
        let place = self.middle(selector);
        self.mouse("mouseWheel", place, &json!({"deltaX": 0, "deltaY": by}));
        self.settle();
    }

    /// Types into an element, instead of what it holds.
    pub(crate) fn write(&mut self, selector: &str, text: &str) {
        self.click(selector);
        self.value(&format!("document.querySelector({selector:?}).select()"));
        if text.is_empty() {
            self.key("Backspace", 8);
        } else {
            self.call("Input.insertText", json!({"text": text}));
        }
        self.settle();
    }

    /// Presses a key.
    pub(crate) fn key(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let mut parameters = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
            });
            if kind == "keyDown" && key == "Enter" {
                parameters["text"] = "\r".into();
            }
            self.call("Input.dispatchKeyEvent", parameters);
        }
        self.settle();
    }

    /// Chooses the option of a list by the beginning of its text, as the keyboard would.
    pub(crate) fn choose(&mut self, selector: &str, text: &str) {
        let found = self.value(&format!(
            "(() => {{ const list = document.querySelector({selector:?}); \
             const option = [...list.options].find((o) => o.text.startsWith({text:?})); \
             if (!option) return false; list.value = option.value; \
             list.dispatchEvent(new Event('change', {{bubbles: true}})); return true; }})()"
        ));
        assert_eq!(found, true, "{selector} has no {text}");
        self.settle();
    }

    /// Waits until what was asked for is drawn.
    pub(crate) fn settle(&mut self) {
        self.value(
            "new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go(1))))",
        );
    }

    /// A picture of what is seen, for people, if `RAMPART_TEST_PICTURES` names a directory.
    pub(crate) fn picture(&mut self, name: &str) {
        use base64::Engine;
        if let Some(directory) = std::env::var_os("RAMPART_TEST_PICTURES") {
            let shot = self.call("Page.captureScreenshot", json!({}));
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(shot["data"].as_str().expect("a picture"))
                .expect("base64");
            let file = Path::new(&directory).join(format!("{name}.png"));
            std::fs::write(file, bytes).expect("a file");
        }
    }

    /// That nothing was complained about, and nothing loaded but the page.
    pub(crate) fn is_content(&mut self) {
        // What was said before this is answered has been heard.
        self.call("Page.getFrameTree", json!({}));
        assert!(self.complaints.is_empty(), "{:#?}", self.complaints);
        let own = |address: &String| address.starts_with("file:") || address.starts_with("data:");
        assert!(
            self.requests
                .iter()
                .filter(|a| a.starts_with("file:"))
                .count()
                <= 1
                && self.requests.iter().all(own),
            "{:?}",
            self.requests
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The processes that it started end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
