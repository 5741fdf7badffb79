//! Reading and validating policy files, with upstream's messages. Stricter than upstream, which
//! only warns: an unknown field is an error, since a misspelt `omitStages` or `users` would
//! change what is written without anybody noticing.

use super::{GroupResources, Level, Policy, PolicyError, Rule};
use crate::event::Stage;
use model::Value;
use model::decode::{Format, decode};
use model::field::{ErrorList, FieldError, Path};
use model::meta::text;

const LEVELS: [(&str, Level); 4] = [
    ("None", Level::None),
    ("Metadata", Level::Metadata),
    ("Request", Level::Request),
    ("RequestResponse", Level::RequestResponse),
];

impl Policy {
    /// Reads a policy file (YAML or JSON).
    pub fn parse(file: &[u8]) -> Result<Self, PolicyError> {
        let looks_like_json = file
            .iter()
            .find(|b| !b.is_ascii_whitespace())
            .is_some_and(|b| *b == b'{');
        let format = if looks_like_json {
            Format::Json
        } else {
            Format::Yaml
        };
        let decoded = decode(file, format).map_err(|e| PolicyError(e.to_string()))?;
        if let Some(path) = decoded.duplicates.first() {
            return Err(PolicyError(format!("duplicate field \"{path}\"")));
        }
        let value = decoded.value;
        let (version, kind) = (text(&value, &["apiVersion"]), text(&value, &["kind"]));
        if (version, kind) != ("audit.k8s.io/v1", "Policy") {
            return Err(PolicyError(format!(
                "it must be a Policy of audit.k8s.io/v1, not kind {kind:?} of {version:?}"
            )));
        }
        let mut reader = Reader::default();
        let root = Path::root();
        reader.known(
            &value,
            &root,
            &[
                "apiVersion",
                "kind",
                "metadata",
                "rules",
                "omitStages",
                "omitManagedFields",
            ],
        );
        let rules_path = root.child("rules");
        let rules: Vec<Rule> = reader
            .list(&value, "rules", &rules_path)
            .iter()
            .enumerate()
            .filter_map(|(i, rule)| reader.rule(rule, &rules_path.index(i)))
            .collect();
        let policy = Self {
            rules,
            omit_stages: reader.stages(&value, &root),
            omit_managed_fields: reader
                .boolean(&value, "omitManagedFields", &root)
                .unwrap_or(false),
            record_refusals: false,
        };
        if !reader.errors.is_empty() {
            let texts: Vec<String> = reader.errors.iter().map(FieldError::to_string).collect();
            return Err(PolicyError(texts.join(", ")));
        }
        if policy.rules.is_empty() {
            return Err(PolicyError("it has no rules".to_owned()));
        }
        Ok(policy)
    }
}

/// Reads fields and gathers what is wrong with them.
#[derive(Default)]
struct Reader {
    errors: ErrorList,
}

impl Reader {
    fn known(&mut self, value: &Value, path: &Path, fields: &[&str]) {
        let Some(map) = value.as_object() else {
            self.errors.push(FieldError::type_invalid(
                path,
                value.clone(),
                "must be an object",
            ));
            return;
        };
        for key in map.keys().filter(|k| !fields.contains(&k.as_str())) {
            self.errors
                .push(FieldError::forbidden(&path.child(key), "unknown field"));
        }
    }

    fn list<'v>(&mut self, value: &'v Value, key: &str, path: &Path) -> &'v [Value] {
        match value.get(key) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.errors.push(FieldError::type_invalid(
                    path,
                    other.clone(),
                    "must be a list",
                ));
                &[]
            }
        }
    }

    fn texts(&mut self, value: &Value, key: &str, path: &Path) -> Vec<String> {
        let path = path.child(key);
        let list = self.list(value, key, &path);
        let mut texts = Vec::with_capacity(list.len());
        for (i, item) in list.iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.clone()),
                other => self.errors.push(FieldError::type_invalid(
                    &path.index(i),
                    other.clone(),
                    "must be a string",
                )),
            }
        }
        texts
    }

    fn boolean(&mut self, value: &Value, key: &str, path: &Path) -> Option<bool> {
        match value.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(on)) => Some(*on),
            Some(other) => {
                self.errors.push(FieldError::type_invalid(
                    &path.child(key),
                    other.clone(),
                    "must be true or false",
                ));
                None
            }
        }
    }

    fn stages(&mut self, value: &Value, path: &Path) -> Vec<Stage> {
        let texts = self.texts(value, "omitStages", path);
        let path = path.child("omitStages");
        let names = Stage::ALL.map(Stage::name);
        let mut stages = Vec::new();
        for (i, text) in texts.into_iter().enumerate() {
            match Stage::ALL.into_iter().find(|s| s.name() == text) {
                Some(stage) => stages.push(stage),
                None => self
                    .errors
                    .push(FieldError::not_supported(&path.index(i), text, &names)),
            }
        }
        stages
    }

    fn level(&mut self, value: &Value, path: &Path) -> Option<Level> {
        let path = path.child("level");
        let name = text(value, &["level"]);
        if name.is_empty() {
            self.errors.push(FieldError::required(&path, ""));
            return None;
        }
        let found = LEVELS.iter().find(|(n, _)| *n == name);
        if found.is_none() {
            let names = LEVELS.map(|(n, _)| n);
            self.errors
                .push(FieldError::not_supported(&path, name, &names));
        }
        found.map(|(_, level)| *level)
    }

    fn rule(&mut self, value: &Value, path: &Path) -> Option<Rule> {
        self.known(
            value,
            path,
            &[
                "level",
                "users",
                "userGroups",
                "verbs",
                "resources",
                "namespaces",
                "nonResourceURLs",
                "omitStages",
                "omitManagedFields",
            ],
        );
        let level = self.level(value, path);
        let non_resource_urls = self.urls(value, path);
        let resources = self.resources(value, path);
        let namespaces = self.texts(value, "namespaces", path);
        let regular = !resources.is_empty() || !namespaces.is_empty();
        if regular && !non_resource_urls.is_empty() {
            self.errors.push(FieldError::invalid(
                &path.child("nonResourceURLs"),
                non_resource_urls.clone(),
                "rules cannot apply to both regular resources and non-resource URLs",
            ));
        }
        let rule = Rule {
            level: level.unwrap_or(Level::Metadata),
            users: self.texts(value, "users", path),
            user_groups: self.texts(value, "userGroups", path),
            verbs: self.texts(value, "verbs", path),
            resources,
            namespaces,
            non_resource_urls,
            omit_stages: self.stages(value, path),
            omit_managed_fields: self.boolean(value, "omitManagedFields", path),
        };
        level.map(|_| rule)
    }

    fn urls(&mut self, value: &Value, path: &Path) -> Vec<String> {
        let urls = self.texts(value, "nonResourceURLs", path);
        let path = path.child("nonResourceURLs");
        for (i, url) in urls.iter().enumerate().filter(|(_, url)| *url != "*") {
            if !url.starts_with('/') {
                self.errors.push(FieldError::invalid(
                    &path.index(i),
                    url.as_str(),
                    "non-resource URL rules must begin with a '/' character",
                ));
            }
            if url.strip_suffix('*').unwrap_or(url).contains('*') {
                self.errors.push(FieldError::invalid(
                    &path.index(i),
                    url.as_str(),
                    "non-resource URL wildcards '*' must be the final character of the rule",
                ));
            }
        }
        urls
    }

    fn resources(&mut self, value: &Value, path: &Path) -> Vec<GroupResources> {
        let path = path.child("resources");
        let mut all = Vec::new();
        for (i, item) in self.list(value, "resources", &path).iter().enumerate() {
            let path = path.index(i);
            self.known(item, &path, &["group", "resources", "resourceNames"]);
            let group = match item.get("group") {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(group)) => group.clone(),
                Some(other) => {
                    self.errors.push(FieldError::type_invalid(
                        &path.child("group"),
                        other.clone(),
                        "must be a string",
                    ));
                    continue;
                }
            };
            if !group.is_empty() && !is_subdomain(&group) {
                self.errors.push(FieldError::invalid(
                    &path.child("group"),
                    group.as_str(),
                    "must be the name of an API group",
                ));
            }
            let resources = self.texts(item, "resources", &path);
            let resource_names = self.texts(item, "resourceNames", &path);
            if !resource_names.is_empty() && resources.is_empty() {
                self.errors.push(FieldError::invalid(
                    &path.child("resourceNames"),
                    resource_names.clone(),
                    "using resourceNames requires at least one resource",
                ));
            }
            all.push(GroupResources {
                group,
                resources,
                resource_names,
            });
        }
        all
    }
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            let bytes = label.as_bytes();
            bytes.first().is_some_and(|b| inner(*b))
                && bytes.last().is_some_and(|b| inner(*b))
                && bytes.iter().all(|b| inner(*b) || *b == b'-')
        })
}
