// Compares every tier of this processor with the scalar one, kernel by kernel, and says how many
// comparisons passed. Fails where a kernel of the list is compared by nobody.
#include "check.h"

#include <stdio.h>
#include <string.h>

// Kernels that are not compared, and why.
static const struct { const char *name, *because; } not_compared[] = {
    {NULL, NULL},
};

static bool listed(const char *const *names, const char *kernel) {
    for (; *names; names++) {
        if (names_kernel(*names, kernel)) return true;
    }
    return false;
}

static bool excused(const char *kernel) {
    for (int i = 0; not_compared[i].name; i++) {
        if (names_kernel(not_compared[i].name, kernel)) return true;
    }
    return false;
}

static void check_list(void) {
    for (int i = 0; i < CK_KERNEL_COUNT; i++) {
        const char *name = ck_kernel_name((ck_kernel)i);
        if (rows_have(name) || listed(product_kernels, name) || listed(attention_kernels, name)) {
            continue;
        }
        if (excused(name)) continue;
        printf("%s: no row compares it\n", name);
        failed++;
    }
    for (int i = 0; not_compared[i].name; i++) {
        printf("%s: not compared, because %s\n", not_compared[i].name, not_compared[i].because);
    }
}

int main(void) {
    check_list();
    for (int id = CK_TIER_SCALAR + 1; id < CK_TIER_COUNT; id++) {
        const ck_tier *tier = ck_tier_table((ck_tier_id)id);
        if (!tier) continue;
        int passed_before = passed, failed_before = failed;
        compare_rows(tier);
        compare_products(tier);
        compare_attention(tier);
        printf("%s against scalar: %d same, %d not\n", tier->name, passed - passed_before,
               failed - failed_before);
    }
    if (passed == 0) {
        printf("no tier besides scalar\n");
        failed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
