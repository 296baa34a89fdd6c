#include "lib-storage/index/mapped-file.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <utility>

namespace culver {

namespace {

// What is mapped at present; read by the signal handler, hence lock-free and of fixed size.
struct Range {
    std::atomic<std::uintptr_t> first{0}, last{0};  // 0 = free
    std::atomic<bool> used{false};
};
std::array<Range, 4096> ranges;

constexpr std::uintptr_t kPage = 4096;

// A page of ours whose file was cut short becomes a page of zeros. Anything else is a real SIGBUS.
void on_bus_error(int signal, siginfo_t* info, void*) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (const Range& range : ranges) {
        const std::uintptr_t first = range.first.load(std::memory_order_acquire);
        if (first == 0 || address < first || address >= range.last.load(std::memory_order_acquire)) continue;
        void* page = reinterpret_cast<void*>(address & ~(kPage - 1));
        if (::mmap(page, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) return;
    }
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

void install_handler() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action = {};
        action.sa_sigaction = on_bus_error;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        ::sigemptyset(&action.sa_mask);
        ::sigaction(SIGBUS, &action, nullptr);
    });
}

int take_slot() {
    for (std::size_t i = 0; i < ranges.size(); ++i)
        if (!ranges[i].used.exchange(true)) return static_cast<int>(i);
    return -1;
}

}  // namespace

Result<MappedFile> MappedFile::map(int fd, std::size_t size) {
    install_handler();
    MappedFile file;
    if (size == 0) return file;
    file.slot_ = take_slot();
    if (file.slot_ < 0) return fail(ErrorCode::Limit, "too many mapped files");
    Range& range = ranges[static_cast<std::size_t>(file.slot_)];
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        range.used = false;
        file.slot_ = -1;
        return fail_errno("mmap");
    }
    file.data_ = static_cast<const char*>(address);
    file.size_ = size;
    const auto first = reinterpret_cast<std::uintptr_t>(address);
    range.last.store((first + size + kPage - 1) & ~(kPage - 1), std::memory_order_release);
    range.first.store(first, std::memory_order_release);
    return file;
}

void MappedFile::unmap() {
    if (slot_ < 0) return;
    Range& range = ranges[static_cast<std::size_t>(slot_)];
    range.first.store(0, std::memory_order_release);
    ::munmap(const_cast<char*>(data_), size_);
    range.used = false;
    slot_ = -1;
    data_ = nullptr;
    size_ = 0;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      slot_(std::exchange(other.slot_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    if (this == &other) return *this;
    unmap();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    slot_ = std::exchange(other.slot_, -1);
    return *this;
}

MappedFile::~MappedFile() { unmap(); }

}  // namespace culver
