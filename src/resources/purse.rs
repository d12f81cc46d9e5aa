//! A pool's budget, which is made when somebody asks for it first: the machine is read for that.

use crate::policy::amounts::{Means, Resource};
use crate::resources::budget::{Budget, BudgetConfig};
use crate::telemetry::unavailable::Fact;
use std::sync::{Arc, OnceLock};

/// What the machine has of a resource.
pub type Look = dyn Fn(Resource) -> Fact<Means> + Send + Sync;

#[derive(Default)]
pub struct Purse {
    budget: OnceLock<Arc<Budget>>,
    /// Set when the pool is built.
    plan: OnceLock<(BudgetConfig, Box<Look>)>,
}

impl Purse {
    pub fn plan(&self, config: BudgetConfig, look: Box<Look>) {
        let _ = self.plan.set((config, look));
    }

    pub fn budget(&self) -> &Arc<Budget> {
        self.budget.get_or_init(|| {
            let (config, look) =
                self.plan.get().expect("filch: a budget before the pool was built");
            Budget::new(config, look)
        })
    }

    /// The machine has so much of it now. Nothing happens if nobody has asked for a budget yet.
    pub fn follow(&self, resource: Resource, means: Means) {
        self.budget.get().inspect(|budget| budget.follow(resource, means));
    }
}
