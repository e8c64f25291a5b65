export * from "./gen/carillon/v1/worker_service_pb.ts";
