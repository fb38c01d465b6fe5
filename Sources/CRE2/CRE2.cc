//
// CRE2.cc: the C interface of CRE2.h over RE2's C++ one. No exception leaves it.
//

#if defined(__has_include)
#if !__has_include(<re2/re2.h>)
#error "RE2's header re2/re2.h is missing: install Debian's package libre2-dev (apt-get install libre2-dev)"
#endif
#endif

#include "CRE2.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

struct cre2_regex {
    RE2 re2;
    cre2_regex(const re2::StringPiece &pattern, const RE2::Options &options) : re2(pattern, options) {}
};

namespace {

cre2_error_code code_of(RE2::ErrorCode code) {
    switch (code) {
    case RE2::NoError: return CRE2_OK;
    case RE2::ErrorBadEscape: return CRE2_BAD_ESCAPE;
    case RE2::ErrorBadCharClass: return CRE2_BAD_CHARACTER_CLASS;
    case RE2::ErrorBadCharRange: return CRE2_BAD_CHARACTER_RANGE;
    case RE2::ErrorMissingBracket: return CRE2_MISSING_BRACKET;
    case RE2::ErrorMissingParen: return CRE2_MISSING_PARENTHESIS;
    case RE2::ErrorUnexpectedParen: return CRE2_UNEXPECTED_PARENTHESIS;
    case RE2::ErrorTrailingBackslash: return CRE2_TRAILING_BACKSLASH;
    case RE2::ErrorRepeatArgument: return CRE2_REPEAT_ARGUMENT;
    case RE2::ErrorRepeatSize: return CRE2_REPEAT_SIZE;
    case RE2::ErrorRepeatOp: return CRE2_REPEAT_OPERATOR;
    case RE2::ErrorBadPerlOp: return CRE2_BAD_PERL_OPERATOR;
    case RE2::ErrorBadUTF8: return CRE2_BAD_UTF8;
    case RE2::ErrorBadNamedCapture: return CRE2_BAD_NAMED_CAPTURE;
    case RE2::ErrorPatternTooLarge: return CRE2_TOO_LARGE;
    case RE2::ErrorInternal: return CRE2_INTERNAL;
    }
    return CRE2_INTERNAL;
}

re2::StringPiece piece(const uint8_t *bytes, size_t length) {
    // RE2 tells an empty text from none by its pointer.
    return re2::StringPiece(bytes == nullptr ? "" : reinterpret_cast<const char *>(bytes), length);
}

void describe(const RE2 &re2, cre2_error *error) {
    error->code = code_of(re2.error_code());
    const std::string &fragment = re2.error_arg();
    error->fragment_length = std::min(fragment.size(), sizeof(error->fragment));
    std::memcpy(error->fragment, fragment.data(), error->fragment_length);
}

}  // namespace

extern "C" cre2_regex *cre2_compile(
    const uint8_t *pattern, size_t length, int64_t memory_bytes_max, cre2_error *error) {
    error->code = CRE2_INTERNAL;
    error->fragment_length = 0;
    try {
        RE2::Options options(RE2::Quiet);
        options.set_max_mem(memory_bytes_max);
        auto regex = std::make_unique<cre2_regex>(piece(pattern, length), options);
        if (!regex->re2.ok()) {
            describe(regex->re2, error);
            return nullptr;
        }
        error->code = CRE2_OK;
        return regex.release();
    } catch (const std::exception &) {
        return nullptr;
    }
}

extern "C" void cre2_free(cre2_regex *regex) { delete regex; }

extern "C" int32_t cre2_group_count(const cre2_regex *regex) { return regex->re2.NumberOfCapturingGroups(); }

extern "C" bool cre2_match(
    const cre2_regex *regex, const uint8_t *text, size_t length, size_t start, cre2_span *groups,
    int32_t group_count) {
    // Groups beyond this many are rare enough to pay for an allocation.
    constexpr int32_t inline_groups = 17;
    const re2::StringPiece whole = piece(text, length);
    try {
        re2::StringPiece inline_found[inline_groups];
        std::vector<re2::StringPiece> many_found(group_count > inline_groups ? group_count : 0);
        re2::StringPiece *found = group_count > inline_groups ? many_found.data() : inline_found;
        if (!regex->re2.Match(whole, start, length, RE2::UNANCHORED, found, group_count)) {
            return false;
        }
        for (int32_t index = 0; index < group_count; index++) {
            if (found[index].data() == nullptr) {
                groups[index] = {-1, -1};
            } else {
                groups[index].start = found[index].data() - whole.data();
                groups[index].end = groups[index].start + static_cast<int64_t>(found[index].size());
            }
        }
        return true;
    } catch (const std::exception &) {
        return false;
    }
}
