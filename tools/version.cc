namespace mini_infer::tools { extern const char kVersion[]; const char kVersion[] = "0.1.0"; }
