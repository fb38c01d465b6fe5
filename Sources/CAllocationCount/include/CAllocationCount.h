// Counts what the process asks of malloc. Linked into the benchmark only.
#pragma once
#include <stdint.h>

/// Bytes asked for so far by malloc, calloc, realloc and the aligned variants; nothing is taken off when freed.
uint64_t callocation_bytes(void);
/// Number of such requests.
uint64_t callocation_count(void);
