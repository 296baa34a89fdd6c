// Parser: values that stand for something else (<file, $name), and included files.
#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "lib-base/text.h"
#include "lib-base/unique-fd.h"
#include "lib-config/parser.h"

namespace culver::config {

namespace {

constexpr std::size_t kFileLimit = 4 << 20;
constexpr std::size_t kSourceLimit = 100;
constexpr unsigned kIncludeLimit = 1000;
constexpr std::size_t kValueLimit = 1 << 20;

// Like read_file, but for anything that can be read to its end (/dev/stdin, a pipe of the shell).
int read_any(const std::string& path, std::string& out) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (fd.get() < 0) return errno;
    struct stat info;
    if (fstat(fd.get(), &info) == 0 && S_ISDIR(info.st_mode)) return EISDIR;
    char buffer[65536];
    for (;;) {
        ssize_t got = read(fd.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) return 0;
        out.append(buffer, static_cast<std::size_t>(got));
        if (out.size() > kFileLimit) return EFBIG;
    }
}

std::string relative_to(const std::string& file, std::string_view path) {
    std::size_t slash = file.rfind('/');
    if (path.starts_with('/') || slash == std::string::npos) return std::string(path);
    return file.substr(0, slash + 1).append(path);
}

}  // namespace

bool Parser::parse_file(const std::string& path) {
    std::string text;
    if (int failed = read_any(path, text); failed != 0) {
        diagnostics_.push_back({Severity::Error,
                                {},
                                fmt::format("open({}) failed: {}", path, std::strerror(failed)),
                                failed == ENOENT ? "create the file, or name another one with -c"
                                                 : "run as a user who may read it, or name another one with -c"});
        return false;
    }
    parse_text(path, std::move(text));
    return true;
}

void Parser::parse_text(const std::string& path, std::string text) {
    config_.files.push_back(path);
    sources_.push_back(
        std::make_unique<Source>(path, static_cast<std::uint32_t>(config_.files.size() - 1), std::move(text)));
    run();
}

void Parser::include(const Line& line) {
    bool must_exist = line.kind == LineKind::Include;
    if (sources_.empty()) return;
    if (line.value.empty() && !must_exist) return;
    if (line.value.empty()) return error("No matches", "write the path behind it: !include conf.d/*.conf");
    std::string pattern = relative_to(sources_.back()->path, line.value);
    glob_t found{};
    int failed = glob(pattern.c_str(), GLOB_BRACE, nullptr, &found);
    if (failed == GLOB_NOMATCH && must_exist)
        error("No matches", fmt::format("nothing is at {}; write !include_try if that is right", pattern));
    else if (failed != 0 && failed != GLOB_NOMATCH && must_exist)
        error(fmt::format("glob({}) failed", pattern), "check that the directory may be read");
    // The last one first: what is on top of the stack is read next.
    std::vector<std::string> paths;
    for (std::size_t i = 0; failed == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    globfree(&found);
    for (auto path = paths.rbegin(); path != paths.rend(); ++path) include_file(*path, must_exist);
}

void Parser::include_file(const std::string& path, bool must_exist) {
    for (const auto& source : sources_)
        if (source->path == path) return error("Recursive include file: " + path, "remove this !include");
    if (sources_.size() >= kSourceLimit || ++included_ > kIncludeLimit)
        return error("Too many include files: " + path, "include fewer files");
    std::string text;
    if (int failed = read_any(path, text); failed != 0) {
        if (failed == EISDIR)
            return warning(fmt::format("{} is a directory, nothing is read from it", path),
                           fmt::format("write {}/*.conf", path));
        if (must_exist)
            error(fmt::format("Couldn't open include file {}: {}", path, std::strerror(failed)),
                  "make the file readable, or write !include_try");
        return;
    }
    config_.files.push_back(path);
    auto index = static_cast<std::uint32_t>(config_.files.size() - 1);
    sources_.push_back(std::make_unique<Source>(path, index, std::move(text)));
}

bool Parser::resolve_written(const Line& line, std::string_view name, Value& value) {
    if (line.quoting == Quoting::None && line.value.starts_with('<')) {
        std::string path(trim(std::string_view(line.value).substr(1)));
        value.written = "<" + path;
        if (!expand_files_) return true;
        return read_value_file(name, sources_.empty() ? path : relative_to(sources_.back()->path, path), value);
    }
    if (line.quoting == Quoting::Quoted || line.value.find('$') == std::string::npos) {
        value.text = line.value;
        return true;
    }
    if (!expand_references(line.value, value.text)) return false;
    // What refers to itself is shown as what came of it, since the line would mean something else when read again.
    bool refers_to_itself = false;
    for (auto word : split_words(line.value)) refers_to_itself |= word.starts_with('$') && word.substr(1) == line.key;
    if (!refers_to_itself && value.text != line.value) value.written = line.value;
    return true;
}

bool Parser::read_value_file(std::string_view name, std::string_view path, Value& value) {
    int failed = read_any(std::string(path), value.text);
    if (failed == 0) return true;
    value.text.clear();
    // Programs that run as a mail user (dovecot-lda, doveadm) read the configuration too, and need no key.
    if (failed == EACCES && geteuid() != 0) return true;
    error(fmt::format("{}: Can't open file {}: {}", name, path, std::strerror(failed)),
          fmt::format("create {} or correct the path", path));
    return false;
}

bool Parser::expand_references(std::string_view text, std::string& out) {
    std::size_t i = 0;
    while (i < text.size()) {
        bool starts_word = i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t';
        if (text[i] != '$' || !starts_word) {
            out += text[i++];
            continue;
        }
        std::size_t end = text.find(' ', i);
        if (end == std::string_view::npos) end = text.size();
        std::string_view name = text.substr(i + 1, end - i - 1);
        if (name.starts_with("ENV:")) {
            const char* found = std::getenv(std::string(name.substr(4)).c_str());
            out += found == nullptr ? "" : found;
        } else if (const std::string* found = find_reference(name)) {
            out += *found;
        } else {
            error(fmt::format("Unknown variable: ${}", name),
                  "write the name of a setting after $, or put the value in quotes if the $ belongs to it");
            return false;
        }
        if (out.size() > kValueLimit) {
            error("Value is too long", "use fewer $references");
            return false;
        }
        i = end;
    }
    return true;
}

const std::string* Parser::find_reference(std::string_view name) const {
    const Frame& frame = frames_.back();
    if (frame.block != nullptr && frame.block->kind != BlockKind::Root)
        if (auto row = find_setting(frame.block->kind, name))
            if (const Value* value = frame.block->find(*row)) return &value->text;
    auto row = find_setting(BlockKind::Root, name);
    if (!row) return nullptr;
    if (const Value* value = frame.scope->root.find(*row)) return &value->text;
    if (const Value* value = config_.scopes[0]->root.find(*row)) return &value->text;
    static const std::vector<std::string> defaults = [] {
        std::vector<std::string> texts;
        for (const auto& spec : block_spec(BlockKind::Root).settings) texts.emplace_back(spec.default_value);
        return texts;
    }();
    return &defaults[*row];
}

}  // namespace culver::config
