// Every kernel body: those for each element type once for each, then the others.
#include "vec/functions.h"
#include "vec/activations.h"
#include "philox.h"

#define T f32
#include "ops/each.h"
#undef T
#define T bf16
#include "ops/each.h"
#undef T
#define T f16
#include "ops/each.h"
#undef T

#include "ops/indices.h"
#include "ops/rows.h"
#include "ops/random.h"
