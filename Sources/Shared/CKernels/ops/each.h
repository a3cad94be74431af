// Bodies for element type T. NAME(add) is add_bf16 where T is bf16; LOAD and STORE move LANES
// elements, or the last `count` ones, and convert from and to float32.
#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, T)
#define LOAD JOIN(vec_load, T)
#define STORE JOIN(vec_store, T)
#define LOAD_SOME JOIN(vec_load_some, T)
#define STORE_SOME JOIN(vec_store_some, T)
#define TO_FLOAT JOIN(float_from, T)
#define FROM_FLOAT JOIN(T, from_float)

#include "ops/row.h"

#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/rms_norm.h"
#include "ops/tile_pack.h"

#include "ops/pack.h"

#include "ops/matmul.h"
#include "ops/quantise.h"
#include "ops/quantise_rows.h"
#include "ops/layer_norm.h"
#include "ops/activations.h"
#include "ops/columns.h"
#include "ops/combine.h"
#include "ops/softmax.h"
#include "ops/cross_entropy.h"
#include "ops/dropout.h"
#include "ops/reduce.h"
#include "ops/sum.h"
#include "ops/adamw.h"
#include "ops/sgd.h"
#include "ops/rotary.h"
#include "ops/page_tiles.h"
#include "ops/attention.h"
#include "ops/attention_gradient.h"
#include "ops/attention_pages.h"

#undef JOIN_
#undef JOIN
#undef NAME
#undef LOAD
#undef STORE
#undef LOAD_SOME
#undef STORE_SOME
#undef TO_FLOAT
#undef FROM_FLOAT
