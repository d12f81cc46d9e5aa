//! The alert rules of a configuration.

use crate::policy::alert_rules::AlertRules;
use crate::pool::config::Config;

impl Config {
    /// Those of its resources, and its own in their place.
    pub(super) fn rules(&self) -> AlertRules {
        let rules =
            AlertRules::new().threshold(self.alert_threshold / 100.0).cooldown(self.alert_cooldown);
        let rules = self.resources().into_iter().fold(rules, |rules, (_, kind, resource)| {
            rules.rule(kind, resource.threshold / 100.0, resource.max_usage / 100.0)
        });
        self.alerts.iter().fold(rules, |rules, (&kind, alert)| {
            let per_cent = if kind.is_share() { 100.0 } else { 1.0 };
            let critical = alert.critical.map_or(f64::INFINITY, |critical| critical / per_cent);
            let of_resource = self.resources().iter().any(|resource| resource.1 == kind);
            let rules = match alert.warning {
                _ if !alert.enabled => rules.without(kind),
                Some(warning) => rules.rule(kind, warning / per_cent, critical),
                None if of_resource => rules,
                None => rules.watch(kind),
            };
            alert.lasting.into_iter().fold(rules, |rules, time| rules.lasting(kind, time))
        })
    }
}
