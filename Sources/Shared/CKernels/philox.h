// The counter-based generator Philox4x32-10 (Salmon, Moraes, Dror and Shaw: Parallel Random
// Numbers: As Easy as 1, 2, 3; SC11): word w of block b of a stream is a function of the key, the
// stream, b and w alone. The counter is the block in its low and the stream in its high half.
//
// Whatever is made of the words uses only operations that IEEE 754 rounds exactly, and no fused
// multiply-add, so that every tier and the host get the same bits.
#pragma once
#include <stdint.h>

#define PHILOX_ROUNDS 10
// Blocks of one call of philox_words: as many as the widest tier has lanes.
#define PHILOX_LANES 16
#define PHILOX_WORDS (4 * PHILOX_LANES)

typedef struct philox_key { uint64_t key, stream; } philox_key;

// The words of `PHILOX_LANES` blocks from `first` on. Plain loops, that compilers make vectors of.
static inline void philox_words(philox_key key, uint64_t first, uint32_t words[PHILOX_WORDS]) {
    uint32_t c0[PHILOX_LANES], c1[PHILOX_LANES], c2[PHILOX_LANES], c3[PHILOX_LANES];
    uint32_t k0 = (uint32_t)key.key, k1 = (uint32_t)(key.key >> 32);
    for (int lane = 0; lane < PHILOX_LANES; lane++) {
        uint64_t block = first + (uint64_t)lane;
        c0[lane] = (uint32_t)block;
        c1[lane] = (uint32_t)(block >> 32);
        c2[lane] = (uint32_t)key.stream;
        c3[lane] = (uint32_t)(key.stream >> 32);
    }
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        for (int lane = 0; lane < PHILOX_LANES; lane++) {
            uint64_t a = (uint64_t)c0[lane] * 0xD2511F53u, b = (uint64_t)c2[lane] * 0xCD9E8D57u;
            c0[lane] = (uint32_t)(b >> 32) ^ c1[lane] ^ k0;
            c1[lane] = (uint32_t)b;
            c2[lane] = (uint32_t)(a >> 32) ^ c3[lane] ^ k1;
            c3[lane] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int lane = 0; lane < PHILOX_LANES; lane++) {
        words[4 * lane] = c0[lane];
        words[4 * lane + 1] = c1[lane];
        words[4 * lane + 2] = c2[lane];
        words[4 * lane + 3] = c3[lane];
    }
}

// A multiple of 2^-24 in [0, 1).
static inline float philox_uniform(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

// ln((n + 1/2) / 2^23) of the upper 23 bits n of a word: finite, and below 0.
static inline float philox_log(uint32_t word) {
#pragma clang fp contract(off)
    float u = ((float)(word >> 9) + 0.5f) * 0x1p-23f;
    uint32_t bits;
    __builtin_memcpy(&bits, &u, sizeof bits);
    // u = m 2^e with m between the roots of 1/2 and of 2; ln m = 2 artanh(s).
    int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23;
    bits -= (uint32_t)e << 23;
    float m;
    __builtin_memcpy(&m, &bits, sizeof m);
    float s = (m - 1) / (m + 1), z = s * s;
    float p = z * (1.0f / 9) + 1.0f / 7;
    p = p * z + 0.2f;
    p = p * z + 1.0f / 3;
    return (float)e * 0.693147181f + 2 * (s + s * z * p);
}

// Two independent normal numbers of two words (Box and Muller).
static inline void philox_normals(const uint32_t words[2], float normals[2]) {
#pragma clang fp contract(off)
    float radius = __builtin_sqrtf(-2 * philox_log(words[0]));
    // The angle is a quarter turn times `quarter`, and `rest` of at most half a quarter.
    uint32_t quarter = (words[1] + 0x20000000u) >> 30;
    float rest = (float)(int32_t)(words[1] - (quarter << 30)) * (1.57079633f * 0x1p-30f);
    float z = rest * rest;
    float sine = z * 2.75573192e-6f - 1.98412698e-4f;
    sine = sine * z + 8.33333333e-3f;
    sine = sine * z - 1.66666667e-1f;
    sine = rest + rest * z * sine;
    float cosine = z * 2.48015873e-5f - 1.38888889e-3f;
    cosine = cosine * z + 4.16666667e-2f;
    cosine = 1 - z * 0.5f + z * z * cosine;
    float across = quarter & 1 ? sine : cosine, up = quarter & 1 ? cosine : sine;
    normals[0] = radius * (quarter == 1 || quarter == 2 ? -across : across);
    normals[1] = radius * (quarter >= 2 ? -up : up);
}
