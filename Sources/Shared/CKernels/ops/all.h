// Every kernel body: those for each element type once for each, then the others.
#include "vec/functions.h"
#include "vec/activations.h"
#include "philox.h"

#include "ops/tile.h"
#include "ops/tile_square.h"

#include "ops/weight.h"
#include "ops/weight_lut4.h"

#include "ops/weight_rows.h"
#include "ops/weight_pack.h"

#include "ops/matmul_block.h"

#include "ops/attention_weights.h"
#include "ops/page_bytes.h"
#include "ops/attention_slopes.h"

#define T f32
#include "ops/each.h"
#undef T
#define T bf16
#include "ops/each.h"
#undef T
#define T f16
#include "ops/each.h"
#undef T

#include "ops/clip_factor.h"
#include "ops/indices.h"
#include "ops/rows.h"
#include "ops/random.h"
#include "ops/rotary_angles.h"
