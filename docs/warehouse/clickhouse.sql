-- Purser's exports in ClickHouse, read where they are. For a bucket use s3('https://…/focus/*/*.parquet').

CREATE OR REPLACE VIEW focus AS SELECT * FROM file('focus/*/*.parquet', 'Parquet');

CREATE OR REPLACE VIEW usage AS SELECT * FROM file('usage/*/*.parquet', 'Parquet');

-- What customers pay: fill it from your billing.
CREATE TABLE IF NOT EXISTS revenue (customer String, month Date, amount Decimal(18, 9)) ENGINE = MergeTree ORDER BY (customer, month);

-- name: total
SELECT sum(BilledCost) AS billed, sum(EffectiveCost) AS effective, sum(x_AvoidedCost) AS avoided, sum(x_RequestCount) AS requests
FROM focus;

-- name: spend_by_customer_and_month
SELECT x_Customer AS customer, toDate(BillingPeriodStart, 'UTC') AS month, sum(BilledCost) AS billed
FROM focus
GROUP BY customer, month
ORDER BY month, billed DESC, customer;

-- name: unit_cost
SELECT x_Model AS model, SkuMeter AS meter, sum(ConsumedQuantity) AS consumed, sum(BilledCost) AS billed,
       toFloat64(sum(BilledCost)) * 1000000 / nullIf(toFloat64(sum(ConsumedQuantity)), 0) AS dollars_for_a_million
FROM focus
WHERE ConsumedUnit = 'Tokens'
GROUP BY model, meter
ORDER BY billed DESC, model, meter;

-- name: cache_savings
SELECT x_Feature AS feature, sum(x_CacheHitCount) AS served_from_cache, sum(x_RequestCount) AS requests, sum(x_AvoidedCost) AS avoided, sum(BilledCost) AS billed
FROM focus
GROUP BY feature
ORDER BY avoided DESC, feature;

-- name: contract_savings
SELECT ServiceName AS service, sum(ListCost) AS list, sum(ContractedCost) AS contracted, sum(ListCost) - sum(ContractedCost) AS saved
FROM focus
GROUP BY service
ORDER BY saved DESC, service;

-- name: allocation
SELECT owner.1 AS kind, sumIf(BilledCost, owner.2 <> 'unallocated') AS allocated, sumIf(BilledCost, owner.2 = 'unallocated') AS unallocated
FROM focus
ARRAY JOIN [('x_Organization', x_Organization), ('x_Team', x_Team), ('x_Project', x_Project), ('x_Member', x_Member), ('x_Customer', x_Customer), ('x_Feature', x_Feature)] AS owner
GROUP BY kind
ORDER BY kind;

-- name: corrections
SELECT x_RecordKind AS kind, ChargeClass AS class, toDate(BillingPeriodStart, 'UTC') AS month, sum(BilledCost) AS billed
FROM focus
WHERE ChargeCategory = 'Adjustment'
GROUP BY kind, class, month
ORDER BY month, kind, class;

-- name: daily_spend
SELECT toDate(ChargePeriodStart, 'UTC') AS day, SubAccountName AS team, sum(BilledCost) AS billed
FROM focus
GROUP BY day, team
ORDER BY day, billed DESC, team;

-- name: records
SELECT count() AS records, sum(cost) AS spent
FROM usage;

-- name: top_runs
SELECT run, uniqExact(request_id) AS requests, sum(cost) AS spent, sum(output_tokens) AS tokens
FROM usage
WHERE run IS NOT NULL
GROUP BY run
ORDER BY spent DESC, run
LIMIT 20;

-- name: latency
SELECT model, count() AS calls, quantile(0.5)(first_byte_ns) / 1e6 AS first_byte_p50_ms, quantile(0.99)(total_ns) / 1e6 AS total_p99_ms
FROM usage
WHERE kind = 'request' AND outcome = 'completed'
GROUP BY model
ORDER BY calls DESC, model;

-- name: margin
SELECT c.customer AS customer, c.month AS month, c.cost AS cost, r.amount AS revenue, r.amount - c.cost AS margin
FROM (SELECT x_Customer AS customer, toDate(BillingPeriodStart, 'UTC') AS month, sum(BilledCost) AS cost FROM focus GROUP BY customer, month) AS c
LEFT JOIN (SELECT customer, month, toNullable(sum(amount)) AS amount FROM revenue GROUP BY customer, month) AS r ON r.customer = c.customer AND r.month = c.month
ORDER BY month, customer;
