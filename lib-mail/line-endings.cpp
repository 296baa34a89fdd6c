#include "lib-mail/line-endings.h"

#include <algorithm>
#include <cstring>

namespace culver {

std::uint64_t virtual_size(std::string_view stored, char before) {
    if (stored.empty()) return 0;
    std::uint64_t bare = stored[0] == '\n' && before != '\r';
    const char* bytes = stored.data();
    const std::size_t size = stored.size();
    // Blocks short enough for byte-wide counters keep the inner loop one that compilers vectorise.
    for (std::size_t i = 1; i < size;) {
        const std::size_t end = std::min(size, i + 240);
        std::uint8_t block = 0;
        for (; i < end; ++i) block = static_cast<std::uint8_t>(block + ((bytes[i] == '\n') & (bytes[i - 1] != '\r')));
        bare += block;
    }
    return size + bare;
}

std::uint64_t line_count(std::string_view stored) {
    return static_cast<std::uint64_t>(std::count(stored.begin(), stored.end(), '\n'));
}

std::string to_crlf(std::string_view stored) {
    std::string out;
    out.reserve(virtual_size(stored));
    CrlfReader(stored).read(out, SIZE_MAX);
    return out;
}

std::string to_lf(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t cr = text.find("\r\n");
        out.append(text.substr(0, cr));
        if (cr == std::string_view::npos) break;
        text.remove_prefix(cr + 1);
    }
    return out;
}

std::uint64_t CrlfReader::skip(std::uint64_t count) {
    std::uint64_t done = 0;
    if (count > 0 && pending_lf_) {
        pending_lf_ = false;
        done = 1;
    }
    // A block whose CRLF form fits is skipped at the speed of counting, the last one byte by byte.
    constexpr std::size_t kBlock = 4096;
    while (done < count && next_ < stored_.size()) {
        const std::string_view block = stored_.substr(next_, kBlock);
        const std::uint64_t size = virtual_size(block, next_ > 0 ? stored_[next_ - 1] : '\0');
        if (size <= count - done) {
            next_ += block.size();
            done += size;
            continue;
        }
        while (done < count) {
            const bool bare = stored_[next_] == '\n' && (next_ == 0 || stored_[next_ - 1] != '\r');
            ++next_;
            ++done;
            if (bare && done == count) pending_lf_ = true;
            else if (bare) ++done;
        }
    }
    return done;
}

std::size_t CrlfReader::read(std::string& out, std::size_t count) {
    const std::size_t before = out.size();
    if (count > 0 && pending_lf_) {
        pending_lf_ = false;
        out += '\n';
        --count;
    }
    while (count > 0 && next_ < stored_.size()) {
        const char* start = stored_.data() + next_;
        const std::size_t left = std::min(count, stored_.size() - next_);
        const char* lf = static_cast<const char*>(std::memchr(start, '\n', left));
        const std::size_t plain = lf ? static_cast<std::size_t>(lf - start) : left;
        out.append(start, plain);
        next_ += plain;
        count -= plain;
        if (!lf) continue;  // the piece is used up, or so is `count`
        const bool bare = next_ == 0 || stored_[next_ - 1] != '\r';
        ++next_;
        if (bare) {
            out += '\r';
            if (--count == 0) {
                pending_lf_ = true;
                break;
            }
        }
        out += '\n';
        --count;
    }
    return out.size() - before;
}

std::size_t append_crlf_slice(std::string_view stored, std::uint64_t from, std::size_t count, std::string& out) {
    CrlfReader reader(stored);
    if (reader.skip(from) < from) return 0;
    return reader.read(out, count);
}

}  // namespace culver
