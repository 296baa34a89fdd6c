// MappedFile: the bytes of an open file, mapped read-only. If another program cuts the file short meanwhile, the bytes
// that are gone read as zeros; without this the process would die of SIGBUS.
#pragma once

#include <cstddef>
#include <string_view>

#include "lib-base/result.h"

namespace culver {

class MappedFile {
public:
    MappedFile() = default;
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    ~MappedFile();

    // Maps `size` bytes from the start of `fd`, which may be closed afterwards. Limit if too many files are mapped.
    static Result<MappedFile> map(int fd, std::size_t size);

    const char* data() const { return data_; }
    std::size_t size() const { return size_; }
    std::string_view bytes() const { return {data_, size_}; }

private:
    void unmap();

    const char* data_ = nullptr;
    std::size_t size_ = 0;
    int slot_ = -1;
};

}  // namespace culver
