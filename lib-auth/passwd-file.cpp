#include "lib-auth/passwd-file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "lib-auth/password-scheme.h"
#include "lib-auth/userdb.h"
#include "lib-base/file.h"
#include "lib-base/log.h"
#include "lib-base/random.h"
#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::uint64_t kOffsetBits = 40, kOffsetMask = (1ull << kOffsetBits) - 1;
constexpr std::size_t kFileLimit = 1ull << 32;
constexpr std::int64_t kLargeFile = 16 << 20;
constexpr std::size_t kRegistryLimit = 1000, kConfigLimit = 1 << 20;
constexpr std::string_view kCryptCharacters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz$=,+-_";

// The part of a stored password that says what comparing it costs: "{SCHEME}" or "$6$".
std::string_view password_kind(std::string_view password) {
    if (password.starts_with('{')) return password.substr(0, password.find('}') + 1);
    if (password.starts_with('$')) return password.substr(0, password.find('$', 1) + 1);
    return password.substr(0, 0);
}

// A hash of crypt(3) with a character that no hash has: pasted with something behind it.
bool has_stray_character(std::string_view password) {
    auto [scheme, data] = split_password(password);
    if (!data.starts_with('$') || (!scheme.empty() && !scheme.ends_with("CRYPT"))) return false;
    return data.find_first_not_of(kCryptCharacters) != data.npos;
}

}  // namespace

// Names are looked up once: most lines of a file have the same ones.
class PasswdFileTable::IdCheck {
public:
    // What is wrong with the line's uid or gid; empty if nothing is.
    std::string problem(const PasswdFileEntry& entry) {
        return !is_usable(entry.uid, uids_, resolve_uid)   ? fmt::format("Invalid UID value '{}'", entry.uid)
               : !is_usable(entry.gid, gids_, resolve_gid) ? fmt::format("Invalid GID value '{}'", entry.gid)
                                                           : std::string();
    }

private:
    using Names = std::map<std::string, bool, std::less<>>;

    // Nothing stands for the one that the settings name.
    static bool is_usable(std::string_view text, Names& names, Result<std::string> (*resolve)(std::string_view)) {
        if (text.empty()) return true;
        if (auto number = parse_uint32(text)) return *number != 0;
        if (auto known = names.find(text); known != names.end()) return known->second;
        if (names.size() == 1000) names.clear();
        auto id = resolve(text);
        return names[std::string(text)] = id && *id != "0";
    }

    Names uids_, gids_;
};

std::optional<std::string_view> why_nobodys_line(std::string_view line) {
    if (line.empty() || line[0] == '#') return "";
    if (line.size() > kPasswdLineLimit) return "Line is longer than 64 kB";
    if (line.find('\0') != line.npos) return "Line contains a NUL character";
    if (line[0] == ':') return "User name is empty";
    return std::nullopt;
}

std::vector<std::string_view> split_passwd_extra(std::string_view extra) {
    std::vector<std::string_view> words = split(extra, ' ');
    std::erase_if(words, [](std::string_view word) { return word.empty(); });
    return words;
}

PasswdFileEntry parse_passwd_line(std::string_view line) {
    PasswdFileEntry entry;
    std::string_view fields[7];
    std::size_t count = 0;
    while (count < 7) {
        std::size_t colon = line.find(':');
        fields[count++] = line.substr(0, colon);
        if (colon == line.npos) {
            line = {};
            break;
        }
        line.remove_prefix(colon + 1);
        if (count == 7) {
            // What follows is the eighth field with all its colons, e.g. IPv6 addresses.
            if (line.starts_with(':')) entry.old_mail = line.substr(1);
            else entry.extra = line;
        }
    }
    entry.user = fields[0];
    entry.password = fields[1];
    entry.uid = fields[2];
    entry.gid = fields[3];
    entry.home = fields[5];
    entry.has_userdb_info = count >= 4;
    return entry;
}

std::uint64_t PasswdFileTable::hash(std::string_view user) const {
    std::uint64_t h = seed_;
    for (unsigned char c : user) {
        h = (h ^ c) * 0x9E3779B97F4A7C15ull;
        h ^= h >> 29;
    }
    h *= 0xBF58476D1CE4E5B9ull;
    return h ^ (h >> 32);
}

std::string_view PasswdFileTable::line_at(std::uint64_t offset) const {
    std::string_view rest = std::string_view(text_).substr(offset);
    std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

unsigned PasswdFileTable::line_number(std::uint64_t offset) const {
    return static_cast<unsigned>(std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(offset), '\n')) +
           1;
}

void PasswdFileTable::complain(unsigned line, std::string text) {
    if (problem_count_++ < kProblemLimit) problems_.push_back({line, std::move(text)});
}

void PasswdFileTable::insert(std::string_view user, std::uint64_t offset, unsigned line) {
    std::uint64_t h = hash(user), tag = h >> kOffsetBits << kOffsetBits;
    std::size_t mask = slots_.size() - 1;
    for (std::size_t i = h & mask;; i = (i + 1) & mask) {
        std::uint64_t& slot = slots_[i].tagged;
        if (slot == 0) {
            slot = tag | (offset + 1);
            ++count_;
            return;
        }
        if ((slot & ~kOffsetMask) != tag) continue;
        std::string_view other = line_at((slot & kOffsetMask) - 1);
        if (other.substr(0, other.find(':')) == user) {
            complain(line, fmt::format("User {} exists more than once", user));
            return;
        }
    }
}

void PasswdFileTable::count_password(std::string_view password) {
    std::string_view kind = password_kind(password);
    auto it = std::find_if(password_kinds_.begin(), password_kinds_.end(),
                           [&](const auto& known) { return known.first == kind; });
    if (it == password_kinds_.end()) {
        if (password.empty() || password_kinds_.size() == 32) return;
        it = password_kinds_.insert(it, {std::string(kind), 0});
    }
    if (++it->second > typical_count_) {
        typical_count_ = it->second;
        // The first of the leading kind is as good as any.
        if (password_kind(typical_password_) != kind || typical_password_.empty()) typical_password_ = password;
    }
}

// One line; with `ids` a userdb's.
void PasswdFileTable::take_in(std::string_view line, std::uint64_t offset, unsigned number, IdCheck* ids) {
    if (auto why = why_nobodys_line(line)) {
        if (!why->empty()) complain(number, std::string(*why));
        return;
    }
    PasswdFileEntry entry = parse_passwd_line(line);
    if (std::string problem = ids ? ids->problem(entry) : std::string(); !problem.empty())
        return complain(number, fmt::format("User {}: {}", entry.user, problem));
    if (has_stray_character(entry.password))
        complain(number, fmt::format("User {}: the password hash has a character behind or in it that no hash has; it "
                                     "can never match",
                                     entry.user));
    count_password(entry.password);
    insert(entry.user, offset, number);
}

std::shared_ptr<const PasswdFileTable> PasswdFileTable::parse(std::string text, PasswdFileUse use) {
    std::shared_ptr<PasswdFileTable> table(new PasswdFileTable);
    table->text_ = std::move(text);
    table->seed_ = random_uint64();
    std::string_view all = table->text_;
    std::size_t lines = static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n')) + 1;
    std::size_t slots = 16;
    while (slots < lines + lines / 2) slots *= 2;
    table->slots_.resize(slots);
    unsigned number = 0;
    IdCheck ids;
    for (std::size_t offset = 0, end; offset < all.size(); offset = end + 1) {
        end = std::min(all.find('\n', offset), all.size());
        std::string_view line = all.substr(offset, end - offset);
        if (line.ends_with('\r')) line.remove_suffix(1);
        table->take_in(line, offset, ++number, use == PasswdFileUse::UserDb ? &ids : nullptr);
    }
    table->password_kinds_.clear();
    return table;
}

std::optional<PasswdFileEntry> PasswdFileTable::find(std::string_view user) const {
    std::uint64_t h = hash(user), tag = h >> kOffsetBits << kOffsetBits;
    std::size_t mask = slots_.size() - 1;
    for (std::size_t i = h & mask; slots_[i].tagged != 0; i = (i + 1) & mask) {
        if ((slots_[i].tagged & ~kOffsetMask) != tag) continue;
        std::uint64_t offset = (slots_[i].tagged & kOffsetMask) - 1;
        std::string_view line = line_at(offset);
        if (line.substr(0, line.find(':')) != user) continue;
        return parse_passwd_line(line);
    }
    return std::nullopt;
}

void PasswdFileTable::for_each(const std::function<void(const PasswdFileEntry&)>& visit) const {
    std::string_view all = text_;
    for (std::size_t offset = 0; offset < all.size();) {
        std::string_view line = line_at(offset);
        offset = std::min(all.find('\n', offset), all.size() - 1) + 1;
        if (!why_nobodys_line(line)) visit(parse_passwd_line(line));
    }
}

// The freshness check: one stat(2) for a lookup, all that a passwd-file costs while nobody writes to it.
Result<PasswdFile::Look> PasswdFile::look_whether_current() {
    auto stamp = FileStamp::of_path(path_);
    if (!stamp) {
        int error = errno;
        return fail(Error::from_errno(error, fmt::format("stat({}) (euid={})", path_, ::geteuid())));
    }
    std::lock_guard lock(mutex_);
    return Look{*stamp, *stamp == stamp_ ? table_ : nullptr};
}

bool PasswdFile::is_current() {
    auto look = look_whether_current();
    bool current = look && look->current;
    std::lock_guard lock(mutex_);
    checked_ = current ? Clock::now() : Clock::time_point{};
    return current;
}

void PasswdFile::serve_userdb() {
    std::lock_guard lock(mutex_);
    if (use_ == PasswdFileUse::PassDb) table_.reset();
    use_ = PasswdFileUse::UserDb;
}

Result<PasswdFile::Table> PasswdFile::table() {
    {
        std::lock_guard lock(mutex_);
        if (table_ && Clock::now() - checked_ < std::chrono::milliseconds(1)) return table_;
    }
    if (Table current = TRY(look_whether_current()).current) return current;
    std::lock_guard loading(load_mutex_);
    // Whoever had the mutex before has perhaps read it already.
    Look look = TRY(look_whether_current());
    return look.current ? look.current : read_as(look.stamp);
}

Result<PasswdFile::Table> PasswdFile::read_as(const FileStamp& stamp) {
    PasswdFileUse use;
    {
        std::lock_guard lock(mutex_);
        use = use_;
        // Two large ones at once might not fit into vsz_limit; whoever asks meanwhile waits for the new one.
        if (stamp.size > kLargeFile) table_.reset();
    }
    std::string text = TRY(read_file(path_, kFileLimit));
    auto fresh = PasswdFileTable::parse(std::move(text), use);
    for (const auto& problem : fresh->problems())
        log_error(fmt::format("passwd-file {}:{}: {}", path_, problem.line, problem.text));
    if (fresh->problem_count() > fresh->problems().size())
        log_error(fmt::format("passwd-file {}: {} more lines with problems", path_,
                              fresh->problem_count() - fresh->problems().size()));
    std::lock_guard lock(mutex_);
    stamp_ = stamp;
    table_ = fresh;
    return table_;
}

std::shared_ptr<PasswdFile> PasswdFileRegistry::open(const std::string& path, const std::string& configured) {
    std::lock_guard lock(mutex_);
    auto it = files_.find(path);
    if (it != files_.end()) return it->second;
    // Per-domain files with made-up domains must not fill the memory.
    if (files_.size() >= kRegistryLimit) files_.clear();
    auto file = std::make_shared<PasswdFile>(path);
    if (userdb_paths_.contains(configured)) file->serve_userdb();
    return files_[path] = file;
}

void PasswdFileRegistry::serve_userdb(const std::string& configured) {
    std::lock_guard lock(mutex_);
    userdb_paths_.insert(configured);
    // Its own path if it has no variables; files of one with variables are opened at lookups, later.
    if (auto it = files_.find(configured); it != files_.end()) it->second->serve_userdb();
}

Result<std::string> PasswdFileRegistry::read_config(const std::string& path) {
    auto text = read_file(path, kConfigLimit);
    std::lock_guard lock(mutex_);
    if (text) return configs_[path] = *text;
    auto known = configs_.find(path);
    if (text.error().code != ErrorCode::NoPermission || known == configs_.end()) return text;
    log_warning(fmt::format("{} cannot be read without root: changes in it need a restart", path));
    return known->second;
}

}  // namespace culver
