import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The content security policy allows this origin's own files and nothing inline, so nothing may be inlined here. */
export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    sourcemap: false,
    target: "es2022",
  },
  server: { proxy: { "/api": process.env.CARILLON_URL ?? "http://127.0.0.1:7070" } },
});
