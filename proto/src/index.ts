export * from "./gen/carillon/v1/worker_service_pb.ts";
export * from "./gen/grpc/health/v1/health_pb.ts";
