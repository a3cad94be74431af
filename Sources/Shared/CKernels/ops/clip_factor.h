// The norm of all gradients from the sums of their squares, and the factor that clips them.
//
// pointers: results [2] (norm, factor), squares [count]; numbers: count; scalars: scale, which the
// gradients are still to be multiplied by, and the largest norm allowed. Units: one.
// norm = |scale| sqrt(sum of squares), factor = scale min(1, max / (norm + 1e-6)). Where the norm
// is not finite, the factor means nothing.
static void clip_factor(const ck_args *a, int64_t begin, int64_t end) {
    if (begin == end) return;
    f32 *results = a->pointers[0];
    const f32 *squares = a->pointers[1];
    float total = 0, scale = a->scalars[0];
    for (int64_t i = 0; i < a->numbers[0]; i++) total += squares[i];
    float norm = sqrtf(total) * fabsf(scale);
    float clip = a->scalars[1] / (norm + 1e-6f);
    results[0] = norm;
    results[1] = scale * (clip > 1 ? 1 : clip);
}
