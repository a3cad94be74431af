// Cosines and sines of angles position * frequency, in float32 as PyTorch forms them.
//
// rotary_angles: pointers: cosines, sines [rows, count], positions int32 [axes, rows],
//     frequencies [count], axis of each frequency int32 [count]; numbers: rows, count;
//     scalars: factor of both results. Units: rows.
static void rotary_angles(const ck_args *a, int64_t begin, int64_t end) {
    int64_t rows = a->numbers[0], count = a->numbers[1];
    const int32_t *positions = a->pointers[2], *axes = a->pointers[4];
    const f32 *frequencies = a->pointers[3];
    for (int64_t row = begin; row < end; row++) {
        f32 *cosines = (f32 *)a->pointers[0] + row * count;
        f32 *sines = (f32 *)a->pointers[1] + row * count;
        for (int64_t j = 0; j < count; j++) {
            float angle = (float)positions[axes[j] * rows + row] * frequencies[j];
            cosines[j] = cosf(angle) * a->scalars[0];
            sines[j] = sinf(angle) * a->scalars[0];
        }
    }
}
