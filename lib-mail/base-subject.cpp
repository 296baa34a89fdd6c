#include "lib-mail/base-subject.h"

#include "lib-base/text.h"
#include "lib-mail/encoded-words.h"
#include "lib-mail/unicode-fold.h"

namespace culver {

namespace {

std::string tidy_blanks(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        if (!blank) out += c;
        else if (!out.empty() && out.back() != ' ') out += ' ';
    }
    while (out.ends_with(' ')) out.pop_back();
    return out;
}

// subj-blob: "[" without brackets inside "]", and the blanks behind it. 0 if there is none.
std::size_t blob_length(std::string_view text) {
    if (!text.starts_with('[')) return 0;
    const std::size_t end = text.find_first_of("[]", 1);
    if (end == std::string_view::npos || text[end] != ']') return 0;
    return text.size() > end + 1 && text[end + 1] == ' ' ? end + 2 : end + 1;
}

// subj-leader: blobs, then RE, FW or FWD, perhaps a blob, then ":". 0 if there is none.
std::size_t leader_length(std::string_view text) {
    std::size_t at = 0;
    while (const std::size_t blob = blob_length(text.substr(at))) at += blob;
    const std::string_view rest = text.substr(at);
    std::size_t word = rest.starts_with("FWD") ? 3 : rest.starts_with("RE") || rest.starts_with("FW") ? 2 : 0;
    if (word == 0) return 0;
    at += word;
    if (text.substr(at).starts_with(' ')) ++at;
    at += blob_length(text.substr(at));
    if (!text.substr(at).starts_with(':')) return 0;
    ++at;
    return text.substr(at).starts_with(' ') ? at + 1 : at;
}

// Leaders and blobs at the front, "(FWD)" at the back. Blobs go only while something is left behind them.
void strip(std::string_view& text, bool& changed) {
    while (text.ends_with("(FWD)") || text.ends_with(' ')) {
        changed = changed || text.ends_with(')');
        text.remove_suffix(text.ends_with(' ') ? 1 : 5);
    }
    // Many blobs without a leader behind them are looked at once only.
    bool leaders_are_left = true;
    for (;;) {
        const std::size_t leader = leaders_are_left ? leader_length(text) : 0;
        if (leader > 0) {
            changed = true;
            text.remove_prefix(leader);
            continue;
        }
        leaders_are_left = false;
        const std::size_t blob = blob_length(text);
        if (blob == 0 || blob >= text.size()) return;
        text.remove_prefix(blob);
        leaders_are_left = !text.starts_with('[');
    }
}

}  // namespace

BaseSubject base_subject(std::string_view value) {
    const std::string folded = fold_text(tidy_blanks(decode_encoded_words(value)));
    std::string_view text = folded;
    BaseSubject subject;
    for (;;) {
        strip(text, subject.is_reply_or_forward);
        if (!text.starts_with("[FWD:") || !text.ends_with(']')) break;
        subject.is_reply_or_forward = true;
        text = text.substr(5, text.size() - 6);
        while (text.starts_with(' ')) text.remove_prefix(1);
    }
    subject.text = text;
    return subject;
}

}  // namespace culver
