// Random numbers for the host: the same bits as those of the kernels.
#include "philox.h"

#include "CKernels.h"

void ck_philox(uint64_t key, uint64_t stream, uint64_t block, uint32_t words[4]) {
    uint32_t all[PHILOX_WORDS];
    philox_words((philox_key){key, stream}, block, all);
    for (int i = 0; i < 4; i++) words[i] = all[i];
}

float ck_philox_uniform(uint32_t word) { return philox_uniform(word); }

void ck_philox_normals(const uint32_t words[2], float normals[2]) {
    philox_normals(words, normals);
}
