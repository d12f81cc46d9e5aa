//! A pool's budget, which is made when somebody asks for it first: the machine is read for that.

use crate::policy::amounts::{Means, Resource};
use crate::resources::audit::Audit;
use crate::resources::budget::Budget;
use crate::resources::config::BudgetConfig;
use crate::telemetry::leases::Leases;
use crate::telemetry::unavailable::Fact;
use std::sync::{Arc, OnceLock};

/// What the machine has of a resource.
pub type Look = dyn Fn(Resource) -> Fact<Means> + Send + Sync;

pub struct Plan {
    pub config: BudgetConfig,
    pub look: Box<Look>,
    /// Has the governor look at the leases at once.
    pub call: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
pub struct Purse {
    budget: OnceLock<Arc<Budget>>,
    /// Set when the pool is built.
    plan: OnceLock<Plan>,
}

impl Purse {
    pub fn plan(&self, plan: Plan) {
        let _ = self.plan.set(plan);
    }

    pub fn budget(&self) -> &Arc<Budget> {
        self.budget.get_or_init(|| {
            let plan = self.plan.get().expect("filch: a budget before the pool was built");
            Budget::new(&plan.config, &plan.look, Arc::clone(&plan.call))
        })
    }

    /// See [`Budget::audit`]. None if nobody has asked for a budget yet.
    pub fn audit(&self) -> Option<Audit> {
        self.budget.get().map(|budget| budget.audit())
    }

    /// What is leased, and who waits.
    pub fn seen(&self) -> Leases {
        self.budget.get().map(|budget| budget.seen()).unwrap_or_default()
    }

    /// The machine has so much of it now. Nothing happens if nobody has asked for a budget yet.
    pub fn follow(&self, resource: Resource, means: Means) {
        self.budget.get().inspect(|budget| budget.follow(resource, means));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Plan, Purse};
    use crate::policy::amounts::{Means, Resource};
    use crate::resources::config::BudgetConfig;
    use std::sync::Arc;

    #[test]
    fn a_budget_is_made_of_what_there_is_then_and_follows_the_machine() {
        let (purse, config) = (Purse::default(), BudgetConfig::default());
        let look = Box::new(|_| Ok(Means::unused(1000)));
        purse.plan(Plan { config, look, call: Arc::new(|| ()) });
        purse.follow(Resource::Memory, Means::unused(10));
        assert!(purse.audit().is_none());
        let total = |resource| purse.budget().total().of(resource);
        assert_eq!((total(Resource::Memory), total(Resource::Disk)), (800, 800));
        purse.follow(Resource::Memory, Means::unused(2000));
        assert_eq!((total(Resource::Memory), total(Resource::Disk)), (1600, 800));
    }
}
