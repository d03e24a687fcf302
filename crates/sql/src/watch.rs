//! Seeing to it that a question ends when it is no longer wanted.
//!
//! DataFusion gives up a question where it waits for data. A join of everything with everything waits for none: it can
//! keep a thread for hours without a row. So joins give way after each batch, and the condition of such a join asks,
//! for each of its batches, whether the answer is still wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, Operator, Volatility, create_udf};
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec,
};
use datafusion::scalar::ScalarValue;

use crate::cancel::Cancel;

/// Whether an answer is still wanted.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    cancel: Cancel,
    ended: Arc<AtomicBool>,
}

impl Watch {
    pub(crate) fn new(cancel: &Cancel) -> Watch {
        Watch { cancel: cancel.clone(), ended: Arc::default() }
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn wanted(&self) -> bool {
        !self.ended.load(Ordering::Relaxed) && !self.cancel.is_cancelled()
    }

    fn condition(&self, config: &ConfigOptions) -> Arc<dyn PhysicalExpr> {
        let watch = self.clone();
        let ask = move |_: &[ColumnarValue]| {
            if watch.wanted() {
                Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
            } else {
                Err(DataFusionError::Execution("the answer is no longer wanted".to_owned()))
            }
        };
        let function =
            create_udf("still_wanted", vec![], DataType::Boolean, Volatility::Volatile, Arc::new(ask));
        let field = Arc::new(Field::new("still_wanted", DataType::Boolean, false));
        Arc::new(ScalarFunctionExpr::new(
            "still_wanted",
            Arc::new(function),
            vec![],
            field,
            Arc::new(config.clone()),
        ))
    }

    fn filter(&self, filter: &JoinFilter, config: &ConfigOptions) -> JoinFilter {
        let both: Arc<dyn PhysicalExpr> =
            Arc::new(BinaryExpr::new(self.condition(config), Operator::And, Arc::clone(filter.expression())));
        JoinFilter::new(both, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    }

    fn watched(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
        let plan = match plan.downcast_ref::<NestedLoopJoinExec>() {
            Some(join) => Arc::new(NestedLoopJoinExec::try_new(
                Arc::clone(join.left()),
                Arc::clone(join.right()),
                join.filter().map(|filter| self.filter(filter, config)),
                join.join_type(),
                join.projection().as_ref().map(|p| p.to_vec()),
            )?),
            None if plan.is::<CrossJoinExec>()
                || plan.is::<HashJoinExec>()
                || plan.is::<SortMergeJoinExec>()
                || plan.is::<PiecewiseMergeJoinExec>() =>
            {
                plan
            }
            None => return Ok(Transformed::no(plan)),
        };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan))))
    }
}

impl PhysicalOptimizerRule for Watch {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(plan.transform_up(|plan| self.watched(plan, config))?.data)
    }

    fn name(&self) -> &'static str {
        "watch"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
