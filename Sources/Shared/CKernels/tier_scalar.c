// The tier of machines that no other one fits, and the reference for the others.
#include "tiers.h"

#include "vec/scalar.h"
#include "vec/partial.h"
#include "ops/all.h"

const ck_tier ck_tier_scalar = CK_TABLE("scalar");
