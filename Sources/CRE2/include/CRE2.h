//
// CRE2.h: RE2 behind a C interface of opaque pointers and byte spans.
//
// Only what relabelling needs: compile, match with group offsets, free. A compiled expression is immutable and may be
// matched by several threads at once.
//

#ifndef CRE2_H
#define CRE2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A compiled expression.
typedef struct cre2_regex cre2_regex;

/// Where a group matched, in bytes from the start of the text; both -1 when it took no part.
typedef struct {
    int64_t start;
    int64_t end;
} cre2_span;

typedef enum : int32_t {
    CRE2_OK = 0,
    CRE2_INTERNAL,
    CRE2_BAD_ESCAPE,
    CRE2_BAD_CHARACTER_CLASS,
    CRE2_BAD_CHARACTER_RANGE,
    CRE2_MISSING_BRACKET,
    CRE2_MISSING_PARENTHESIS,
    CRE2_UNEXPECTED_PARENTHESIS,
    CRE2_TRAILING_BACKSLASH,
    CRE2_REPEAT_ARGUMENT,
    CRE2_REPEAT_SIZE,
    CRE2_REPEAT_OPERATOR,
    CRE2_BAD_PERL_OPERATOR,
    CRE2_BAD_UTF8,
    CRE2_BAD_NAMED_CAPTURE,
    CRE2_TOO_LARGE,
} cre2_error_code;

/// Why an expression was refused.
typedef struct {
    cre2_error_code code;
    /// The part at fault, cut to fit.
    char fragment[256];
    size_t fragment_length;
} cre2_error;

/// Compiles UTF-8 text. `memory_bytes_max` bounds the program and, at matching, its state cache; an expression that
/// needs more is refused with CRE2_TOO_LARGE. Returns NULL and fills `error` when it is refused.
cre2_regex *_Nullable cre2_compile(
    const uint8_t *_Nullable pattern, size_t length, int64_t memory_bytes_max, cre2_error *_Nonnull error);

void cre2_free(cre2_regex *_Nonnull regex);

/// Groups in parentheses that capture, the whole match not counted.
int32_t cre2_group_count(const cre2_regex *_Nonnull regex);

/// Finds the leftmost match at or after `start`, which looks back no further than `start` except for `^` and `\b`.
/// Fills `groups[0]` with the whole match and the others with the groups in order; ask for none where yes or no is
/// enough, which is several times faster.
bool cre2_match(
    const cre2_regex *_Nonnull regex, const uint8_t *_Nullable text, size_t length, size_t start,
    cre2_span *_Nullable groups, int32_t group_count);

#ifdef __cplusplus
}
#endif

#endif
