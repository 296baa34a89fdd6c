#include "lib-mail/mime-parser.h"

#include <cstring>

#include "lib-base/text.h"
#include "lib-mail/header-fields.h"
#include "lib-mail/mime-fields.h"

namespace culver {

// Invariant: parts from `current_` up to the root are open; each open multipart with a boundary has one entry in
// boundaries_, outermost first. The position only moves forward.
class MimeParser {
public:
    MimeParser(std::string_view message, const MimeLimits& limits, std::vector<MimePart>& parts)
        : message_(message), limits_(limits), parts_(parts) {}

    void run() {
        begin_part(MimePart::kNone);
        for (;;) {
            Found found = read_header();
            while (!found.is_end()) {
                close_parts_below(found);
                if (take_boundary_line(found)) break;
                found = scan_body();
            }
            if (found.is_end()) break;
            // A new part, or a header that ended normally: go on with what follows it.
        }
        close_all();
    }

private:
    // A place in the message with what was counted up to it.
    struct Mark {
        std::uint64_t offset = 0;
        std::uint32_t lines = 0;
        std::uint64_t bare = 0;
    };
    struct Boundary {
        std::uint32_t part;
        std::string text;
    };
    // A boundary line: which boundary, where the parts before it end. None = the end of the message.
    struct Found {
        static constexpr std::size_t kEnd = SIZE_MAX;
        std::size_t boundary = kEnd;
        Mark parts_end;
        bool is_end() const { return boundary == kEnd; }
    };

    void begin_part(std::uint32_t parent) {
        MimePart part;
        part.parent = parent;
        part.header_begin = here_.offset;
        const auto index = static_cast<std::uint32_t>(parts_.size());
        if (parent != MimePart::kNone) {
            part.in_multipart = parts_[parent].kind == MimePart::Multipart;
            if (parts_[parent].first_child == MimePart::kNone) parts_[parent].first_child = index;
            else parts_[last_child_[parent]].next_sibling = index;
            last_child_[parent] = index;
            depth_.push_back(depth_[parent] + 1);
        } else {
            depth_.push_back(1);
        }
        last_child_.push_back(MimePart::kNone);
        marks_.push_back(here_);
        parts_.push_back(part);
        current_ = index;
    }

    bool at_end() const { return here_.offset >= message_.size(); }

    // Moves behind the current line.
    void next_line() {
        const char* start = message_.data() + here_.offset;
        const std::size_t left = message_.size() - here_.offset;
        const void* lf = std::memchr(start, '\n', left);
        if (!lf) {
            here_.offset = message_.size();
            return;
        }
        here_.offset += static_cast<std::uint64_t>(static_cast<const char*>(lf) - start) + 1;
        ++here_.lines;
        if (here_.offset < 2 || message_[here_.offset - 2] != '\r') ++here_.bare;
    }

    std::string_view line() const {
        const std::string_view rest = message_.substr(here_.offset);
        std::string_view line = rest.substr(0, rest.find('\n'));
        if (line.ends_with('\r')) line.remove_suffix(1);
        return line;
    }

    // Which boundary the current line is, Found::kEnd if none. The innermost wins; only the beginning of the line has
    // to match, but a longer match is better than a shorter one.
    std::size_t matching_boundary() const {
        if (boundaries_.empty() || message_.compare(here_.offset, 2, "--") != 0) return Found::kEnd;
        const std::string_view rest = line().substr(2);
        std::size_t best = Found::kEnd, best_size = 0;
        for (std::size_t i = boundaries_.size(); i-- > 0;) {
            const std::string& text = boundaries_[i].text;
            if (!rest.starts_with(text) || (best != Found::kEnd && text.size() <= best_size)) continue;
            best = i;
            best_size = text.size();
            if (text.size() == rest.size() || rest.substr(text.size()) == "--") break;
        }
        return best;
    }

    // Reads the header of the current part; goes on into its children and body until a boundary line is found.
    Found read_header() {
        for (;;) {
            const Found cut = skip_header();
            finish_header();
            if (!cut.is_end()) {
                Found found = cut;
                // A message whose header is cut off still contains a message.
                if (parts_[current_].kind == MimePart::Message) begin_empty_child();
                return found;
            }
            if (parts_[current_].kind != MimePart::Message) return scan_body();
            begin_part(current_);
        }
    }

    void begin_empty_child() {
        begin_part(current_);
        finish_header();
    }

    Found skip_header() {
        while (!at_end()) {
            const std::size_t boundary = matching_boundary();
            if (boundary != Found::kEnd) return {boundary, here_};
            const bool blank = message_[here_.offset] == '\n' || message_.compare(here_.offset, 2, "\r\n") == 0;
            next_line();
            if (blank) break;
        }
        return {};
    }

    void finish_header() {
        MimePart& part = parts_[current_];
        const Mark& begin = marks_[current_];
        part.header_size = here_.offset - begin.offset;
        part.header_lines = here_.lines - begin.lines;
        part.header_bare = here_.bare - begin.bare;
        marks_[current_] = here_;
        choose_kind(part);
    }

    void choose_kind(MimePart& part) {
        std::string type;
        if (!find_header(part.header(message_), "Content-Type", type)) {
            const bool digest = part.parent != MimePart::kNone && parts_[part.parent].digest;
            part.kind = digest ? MimePart::Message : MimePart::Text;
        } else {
            MimeFields fields;
            parse_content_type(type, fields);
            part.kind = MimePart::Other;
            if (equals_ignore_case(fields.type, "text")) part.kind = MimePart::Text;
            if (equals_ignore_case(fields.type, "message") && equals_ignore_case(fields.subtype, "rfc822"))
                part.kind = MimePart::Message;
            if (equals_ignore_case(fields.type, "multipart")) begin_multipart(part, fields);
        }
        const bool container = part.kind == MimePart::Message || part.kind == MimePart::Multipart;
        if (!container || (depth_[current_] < limits_.depth && parts_.size() < limits_.parts)) return;
        part.kind = MimePart::TooDeep;
        if (!boundaries_.empty() && boundaries_.back().part == current_) boundaries_.pop_back();
    }

    void begin_multipart(MimePart& part, const MimeFields& fields) {
        part.kind = MimePart::Multipart;
        part.digest = equals_ignore_case(fields.subtype, "digest");
        if (const std::string* boundary = find_parameter(fields.parameters, "boundary"))
            boundaries_.push_back({current_, boundary->substr(0, limits_.boundary)});
    }

    // From the current position, which is a line's beginning, to the next boundary line.
    Found scan_body() {
        const std::uint64_t begin = here_.offset;
        while (!at_end()) {
            const std::size_t boundary = matching_boundary();
            if (boundary != Found::kEnd) return {boundary, here_.offset > begin ? before_line_end() : here_};
            next_line();
        }
        return {};
    }

    // The line end before a boundary line belongs to the boundary: the mark in front of it.
    Mark before_line_end() const {
        Mark mark = here_;
        const bool crlf = mark.offset >= 2 && message_[mark.offset - 2] == '\r';
        mark.offset -= crlf ? 2 : 1;
        --mark.lines;
        if (!crlf) --mark.bare;
        return mark;
    }

    void close(std::uint32_t index, const Mark& end) {
        MimePart& part = parts_[index];
        const Mark& begin = marks_[index];
        if (end.offset <= begin.offset) return;
        part.body_size = end.offset - begin.offset;
        part.body_lines = end.lines - begin.lines;
        part.body_bare = end.bare - begin.bare;
    }

    void close_parts_below(const Found& found) {
        const std::uint32_t owner = boundaries_[found.boundary].part;
        for (; current_ != owner; current_ = parts_[current_].parent) close(current_, found.parts_end);
        boundaries_.resize(found.boundary + 1);
    }

    // At the boundary line of the current multipart. True if a new part begins behind it, false if the multipart's
    // epilogue does.
    bool take_boundary_line(const Found& found) {
        const std::string_view rest = line().substr(2 + boundaries_[found.boundary].text.size());
        const bool last = rest.starts_with("--");
        next_line();
        // A boundary cut off by the end of the message begins nothing.
        if (!last && message_[here_.offset - 1] == '\n' && parts_.size() < limits_.parts) {
            begin_part(current_);
            return true;
        }
        if (last) boundaries_.pop_back();
        return false;
    }

    void close_all() {
        for (std::uint32_t part = current_; part != MimePart::kNone; part = parts_[part].parent) close(part, here_);
    }

    std::string_view message_;
    const MimeLimits& limits_;
    std::vector<MimePart>& parts_;
    std::vector<Boundary> boundaries_;
    std::vector<Mark> marks_;                // per part: its begin, from finish_header() on its body's begin
    std::vector<std::uint32_t> depth_;       // per part
    std::vector<std::uint32_t> last_child_;  // per part
    Mark here_;
    std::uint32_t current_ = 0;
};

MimeStructure MimeStructure::parse(std::string_view message, const MimeLimits& limits) {
    MimeStructure structure;
    MimeParser(message, limits, structure.parts_).run();
    return structure;
}

}  // namespace culver
